//! One copy of what thousands of providers say alike: services, applications, tags, labels. Pure.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use crate::provider::Provider;

/// Shares equal values while somebody holds them.
#[derive(Debug, Default)]
pub(super) struct Interner {
    services: Shared<ServiceKey>,
    texts: Shared<str>,
}

impl Interner {
    /// The provider with all its parts shared.
    pub(super) fn share(&mut self, mut provider: Provider) -> Arc<Provider> {
        self.services.share(&mut provider.id.service);
        self.texts.share(&mut provider.application);
        self.texts.share(&mut provider.tag);
        for (_, value) in &mut provider.labels {
            self.texts.share(value);
        }
        Arc::new(provider)
    }

    /// Values that are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.services.values.len() + self.texts.values.len()
    }
}

#[derive(Debug)]
struct Shared<T: ?Sized + Hash + Eq> {
    values: HashSet<Arc<T>>,
    /// When the set has this many values, those that nobody else holds are dropped.
    sweep_at: usize,
}

impl<T: ?Sized + Hash + Eq> Shared<T> {
    const SWEEP_AT_LEAST: usize = 1024;

    fn share(&mut self, value: &mut Arc<T>) {
        if let Some(known) = self.values.get(value) {
            *value = known.clone();
            return;
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|known| Arc::strong_count(known) > 1);
            self.sweep_at = Self::SWEEP_AT_LEAST.max(2 * self.values.len());
        }
        self.values.insert(value.clone());
    }
}

impl<T: ?Sized + Hash + Eq> Default for Shared<T> {
    fn default() -> Self {
        Self {
            values: HashSet::new(),
            sweep_at: Self::SWEEP_AT_LEAST,
        }
    }
}
