//! Host names that providers registered, and what they resolve to.
//!
//! A name that cannot be resolved keeps its last addresses: a failed answer is not an empty one. Nor
//! does an address go because one answer lacks it: resolvers rotate, cut long answers short, and
//! disagree while a zone is being changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use dubbo_codec::ServiceKey;

use crate::provider::{Host, Identity};

/// An address is gone when so many answers in a row lacked it.
const MISSES: u8 = 3;

/// Every wanted name.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<Arc<str>, Name>);

#[derive(Debug, Default)]
struct Name {
    /// Each address, and how many answers in a row lacked it.
    addresses: BTreeMap<IpAddr, u8>,
    /// Why there are no addresses, while there never were.
    trouble: Option<Arc<str>>,
    users: BTreeSet<Identity>,
}

impl Names {
    /// Names that somebody uses.
    pub(crate) fn wanted(&self) -> BTreeSet<Arc<str>> {
        self.0.keys().cloned().collect()
    }

    /// Whether some name was not answered yet.
    pub(crate) fn awaits_answers(&self) -> bool {
        let unanswered = |name: &Name| name.addresses.is_empty() && name.trouble.is_none();
        self.0.values().any(unanswered)
    }

    /// A provider is there. True if its name is a new one.
    pub(crate) fn want(&mut self, id: &Identity) -> bool {
        let Host::Name(name) = &id.host else {
            return false;
        };
        let new = !self.0.contains_key(name);
        self.0
            .entry(name.clone())
            .or_default()
            .users
            .insert(id.clone());
        new
    }

    /// A provider is gone. True if nobody uses its name any more.
    pub(crate) fn forget(&mut self, id: &Identity) -> bool {
        let Host::Name(name) = &id.host else {
            return false;
        };
        let Some(known) = self.0.get_mut(name) else {
            return false;
        };
        known.users.remove(id);
        known.users.is_empty() && self.0.remove(name).is_some()
    }

    /// The addresses of a name, sorted, or why there are none.
    pub(crate) fn addresses(&self, name: &str) -> Result<impl Iterator<Item = IpAddr>, Arc<str>> {
        match self.0.get(name) {
            Some(known) if !known.addresses.is_empty() => Ok(known.addresses.keys().copied()),
            Some(Name {
                trouble: Some(trouble),
                ..
            }) => Err(trouble.clone()),
            _ => Err("not asked yet".into()),
        }
    }

    /// What a resolver said; returns the services whose providers this moves.
    pub(crate) fn answered(
        &mut self,
        name: &str,
        answer: Result<Vec<IpAddr>, Arc<str>>,
    ) -> BTreeSet<Arc<ServiceKey>> {
        let Some(known) = self.0.get_mut(name) else {
            return BTreeSet::new();
        };
        let changed = match answer {
            Ok(addresses) if addresses.is_empty() => false,
            Ok(addresses) => known.has(&addresses),
            Err(reason) => {
                let news = known.addresses.is_empty() && known.trouble.as_ref() != Some(&reason);
                known.trouble = Some(reason);
                news
            }
        };
        if !changed {
            return BTreeSet::new();
        }
        known.users.iter().map(|id| id.service.clone()).collect()
    }
}

impl Name {
    /// These are its addresses, says an answer. True if those that hold are others now.
    fn has(&mut self, answer: &[IpAddr]) -> bool {
        for misses in self.addresses.values_mut() {
            *misses += 1;
        }
        let mut changed = false;
        for address in answer {
            changed |= self.addresses.insert(*address, 0).is_none();
        }
        let before = self.addresses.len();
        self.addresses.retain(|_, misses| *misses < MISSES);
        changed | (self.addresses.len() != before)
    }
}
