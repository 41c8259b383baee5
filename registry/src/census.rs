//! Everything that a registry knows about who calls, and on what terms; read once. Plain values.
//!
//! The followers of registries look at providers alone, and at what concerns their places. This is
//! the rest: consumers, what either side says about who is called, and rules.

use std::sync::Arc;

use crate::choice::Choice;
use crate::consumer::Consumer;
use crate::event::Rejection;
use crate::provider::{Identity, Provider, ProviderError, Reading, form_decode};
use crate::rule::Rule;
use crate::terms::Terms;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Every consumer.
    pub consumers: Vec<Consumer>,
    /// Every provider that can be read, by what it says about how it is called.
    pub offers: Vec<Offer>,
    /// Rules that are in force.
    pub rules: Vec<Rule>,
    /// What could not be read, and why.
    pub unread: Vec<Unread>,
}

/// What a provider says about how it is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// The provider.
    pub provider: Identity,
    /// What it says about who is called.
    pub choices: Box<[Choice]>,
    /// What it wants calls to hold.
    pub terms: Terms,
}

/// A part of a registry that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// The node or the list.
    pub what: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
}

/// The lists of an interface, by the names that Dubbo gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Consumers,
    Providers,
    Routers,
    Configurators,
}

impl Category {
    pub(crate) const ALL: [Self; 4] = [
        Self::Consumers,
        Self::Providers,
        Self::Routers,
        Self::Configurators,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Consumers => "consumers",
            Self::Providers => "providers",
            Self::Routers => "routers",
            Self::Configurators => "configurators",
        }
    }
}

impl Census {
    /// Takes in an encoded entry of one of the lists of `interface`. A provider that cannot be read
    /// is named by whoever follows the registry; here it says nothing.
    pub(crate) fn entry(&mut self, category: Category, interface: &Arc<str>, node: &str) {
        let url = form_decode(node);
        let taken = url.and_then(|url| self.url(category, interface, &url));
        if let Err(error) = taken
            && category != Category::Providers
        {
            let mut end = node.len().min(Rejection::MAX_SUBJECT);
            while !node.is_char_boundary(end) {
                end -= 1;
            }
            self.unread.push(Unread {
                what: format!("{interface}/{}/{}", category.as_str(), &node[..end]).into(),
                reason: error.to_string().into(),
            });
        }
    }

    /// Takes in a decoded provider URL that stands in no list.
    pub(crate) fn provider(&mut self, url: &str) {
        let nothing = Reading { labels: [].into() };
        if let Ok(provider) = Provider::parse_standalone(url, &nothing) {
            self.offer(provider.id, url);
        }
    }

    fn url(
        &mut self,
        category: Category,
        interface: &Arc<str>,
        url: &str,
    ) -> Result<(), ProviderError> {
        match category {
            Category::Consumers => self.consumers.push(Consumer::parse(url, interface)?),
            Category::Providers => {
                let nothing = Reading { labels: [].into() };
                self.offer(Provider::parse(url, interface, &nothing)?.id, url);
            }
            Category::Routers => self.rules.extend(Rule::of_router(url, interface)),
            Category::Configurators => self.rules.extend(Rule::of_configurator(url, interface)),
        }
        Ok(())
    }

    fn offer(&mut self, provider: Identity, url: &str) {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        self.offers.push(Offer {
            provider,
            choices: Choice::read(query),
            terms: Terms::read(query),
        });
    }

    /// Both together.
    pub fn extend(&mut self, other: Self) {
        self.consumers.extend(other.consumers);
        self.offers.extend(other.offers);
        self.rules.extend(other.rules);
        self.unread.extend(other.unread);
    }

    /// In order and without doubles, since several registries may hold the same.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.consumers.sort_unstable();
        self.consumers.dedup();
        self.offers.sort_unstable();
        self.offers.dedup();
        self.rules.sort_unstable();
        self.rules.dedup();
        self.unread.sort_unstable();
        self.unread.dedup();
        self
    }
}
