//! What the mirror has to tell. Pure.

use std::sync::Arc;

use super::directory::{Directory, Held};
use super::entry::Entry;
use super::pass::Summary;
use super::{Mirror, interface_of};
use crate::event::{News, ProviderList};

impl Mirror {
    /// Every directory that is a list, sorted.
    pub(in crate::zookeeper) fn lists(&self) -> Vec<Arc<str>> {
        let is_list = |(_, directory): &(_, &Directory)| directory.held != Held::Nothing;
        let held = self.directories.iter().filter(is_list);
        let mut names: Vec<_> = held.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// What is to be told of a directory; the empty list if it does not exist.
    pub(in crate::zookeeper) fn news(&self, name: &str) -> News {
        let list = interface_of(name).into();
        let (mut providers, mut rejected) = (Vec::new(), Vec::new());
        if let Some(directory) = self.directories.get(name) {
            if let Held::Unreadable(reason) = &directory.held {
                let reason = reason.clone();
                return News::Unreadable { list, reason };
            }
            for entry in directory.nodes.values() {
                match entry {
                    Entry::Provider(provider) => providers.push(provider.clone()),
                    Entry::Rejected(rejection) => rejected.push((**rejection).clone()),
                }
            }
        }
        News::Providers(ProviderList {
            list,
            providers,
            rejected,
        })
    }

    pub(in crate::zookeeper) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for directory in self.directories.values() {
            match directory.held {
                Held::Nothing => continue,
                Held::All => summary.interfaces += 1,
                Held::Unreadable(_) => summary.unreadable += 1,
            }
            let rejected = |entry: &&Entry| matches!(entry, Entry::Rejected(_));
            let rejected = directory.nodes.values().filter(rejected).count();
            summary.rejected += rejected;
            summary.providers += directory.nodes.len() - rejected;
        }
        summary
    }
}
