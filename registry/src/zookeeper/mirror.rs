//! The provider tree of a ZooKeeper, kept equal to the server's by its events and answers. Pure.
//!
//! Owns what is known, what has to be asked, and what has changed. Knows nothing of connections.
//!
//! ```text
//!  begin_reading ─┐                         ┌─→ next_request: what to ask the server
//!  begin_audit ───┼─→ directories by name ──┼─→ take_touched: lists that changed
//!  event, answer ─┘                         └─→ pass: how far, and what it found
//! ```
//!
//! The order in which the caller must feed it: every event that arrived before an answer, before
//! that answer. ZooKeeper sends a client the events of a change before any answer that shows it.

mod directory;
mod entry;
mod exchange;
mod pass;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

pub(super) use self::directory::Version;
use self::directory::{Directory, Held, Verdict};
use self::entry::{Entry, NodeHash, hash};
pub(super) use self::exchange::{Answer, Change, Distrust, Refusal, Request};
pub(super) use self::pass::{Kind, Pass};
use super::interner::Interner;
use super::path::{Place, Root, interface_of};
use crate::provider::Reading;

/// Bytes of paths on which child watches are set, at most. The client library sends its watches
/// again in packets of 128 KiB, and more than one of them it cannot handle.
const WATCHED_BYTES: usize = 100 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Mirror {
    root: Root,
    reading: Reading,
    /// Of [`NodeHash`]; secret, so that nobody can register a name that hides another.
    seed: u64,
    empty_root_allowed: bool,
    directories: HashMap<Arc<str>, Directory>,
    interner: Interner,
    requests: VecDeque<Request>,
    touched: Vec<Arc<str>>,
    pass: Option<Pass>,
    distrust: Option<Distrust>,
    watched_bytes: usize,
    /// Interfaces of which events were found missing.
    missed: Vec<String>,
}

impl Mirror {
    pub(super) fn new(root: Root, reading: Reading, empty_root_allowed: bool, seed: u64) -> Self {
        Self {
            root,
            reading,
            seed,
            empty_root_allowed,
            directories: HashMap::new(),
            interner: Interner::default(),
            requests: VecDeque::new(),
            touched: Vec::new(),
            pass: None,
            distrust: None,
            watched_bytes: 0,
            missed: Vec::new(),
        }
    }

    /// Verifies everything, over a connection that has just been made or, where the root was in
    /// trouble, over the same one; no answer to an earlier request will come.
    pub(super) fn begin_reading(&mut self) {
        for directory in self.directories.values_mut() {
            directory.give_up();
        }
        self.touched.clear();
        self.requests.clear();
        self.watched_bytes = 0;
        self.distrust = None;
        self.begin(Kind::Reading);
    }

    /// Looks for what the events did not tell, unless a pass is under way.
    pub(super) fn begin_audit(&mut self) {
        if self.pass.is_none() {
            self.begin(Kind::Audit);
        }
    }

    fn begin(&mut self, kind: Kind) {
        self.pass = Some(Pass::new(kind));
        self.requests.push_back(Request::Root);
    }

    /// Accepts a tree that is older than what was read before.
    pub(super) fn forget_versions(&mut self) {
        for directory in self.directories.values_mut() {
            directory.forget_versions();
        }
    }

    /// What to ask next.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// Lists that changed since the last call; some may be in it twice.
    pub(super) fn take_touched(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.touched)
    }

    /// Interfaces of which events were found missing since the last call.
    pub(super) fn take_missed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.missed)
    }

    /// The reading or audit under way.
    pub(super) fn pass(&self) -> Option<&Pass> {
        self.pass.as_ref()
    }

    /// The reading or audit that is complete, once. A reading that found no interface with providers
    /// is none: a root that is one level off has children too.
    pub(super) fn take_completed(&mut self) -> Option<Pass> {
        let pass = self.pass.take_if(|pass| pass.is_complete())?;
        let nothing = |directory: &Directory| directory.held == Held::Nothing;
        if pass.kind == Kind::Reading
            && !self.empty_root_allowed
            && self.directories.values().all(nothing)
        {
            self.distrust = Some(Distrust::RootEmpty);
            return None;
        }
        Some(pass)
    }

    /// Why nothing may be told now.
    pub(super) fn distrust(&self) -> Option<&Distrust> {
        self.distrust.as_ref()
    }

    /// Takes in an event of the recursive watch on the root.
    pub(super) fn event(&mut self, path: &str, change: Change) {
        let root = self.root.clone();
        match (root.place(path), change) {
            (None, _) | (Some(Place::Root), Change::Created) => {}
            (Some(Place::Root), Change::Deleted) => self.doubt(Distrust::RootMissing),
            (Some(Place::Interface(name)), Change::Created) => drop(self.known(name)),
            (Some(Place::Interface(name)), Change::Deleted) => self.interface_deleted(name),
            (Some(Place::Providers(name)), change) => self.directory_event(name, change),
            (Some(Place::Provider { directory, node }), change) => {
                self.node_event(directory, node, change);
            }
        }
    }

    fn interface_deleted(&mut self, name: &str) {
        let Some((name, directory)) = self.directories.get_key_value(name) else {
            return;
        };
        let (name, asked) = (name.clone(), directory.is_asked());
        self.directory_event(&name, Change::Deleted);
        if !asked {
            // Else its answer would be taken for that of a successor.
            self.remove(&name);
        }
        if self.directories.is_empty() {
            self.doubt(Distrust::RootEmpty);
        }
    }

    fn doubt(&mut self, distrust: Distrust) {
        if !self.empty_root_allowed {
            self.distrust = Some(distrust);
        }
    }

    fn remove(&mut self, name: &Arc<str>) -> Option<Directory> {
        self.unwatch(name);
        self.directories.remove(name)
    }

    fn directory_event(&mut self, name: &str, change: Change) {
        let name = self.known(name);
        let Some(directory) = self.directories.get_mut(&name) else {
            return;
        };
        let news = match change {
            Change::Created => directory.created(),
            Change::Deleted => directory.deleted(),
        };
        if change == Change::Created {
            self.ask(&name);
        }
        if news {
            self.touched.push(name);
        }
    }

    fn node_event(&mut self, name: &str, node: &str, change: Change) {
        let name = self.known(name);
        let hash = hash(node, self.seed);
        let entry = (change == Change::Created).then(|| {
            Entry::read(
                node,
                &interface_of(&name),
                &self.reading,
                &mut self.interner,
            )
        });
        let Some(directory) = self.directories.get_mut(&name) else {
            return;
        };
        let unknown = directory.held == Held::Nothing;
        if directory.node(hash, entry) {
            self.touched.push(name);
        } else if unknown {
            self.ask(&name);
        }
    }

    /// The child watch of a directory has fired.
    pub(super) fn watch_fired(&mut self, name: &Arc<str>) {
        self.unwatch(name);
        if let Some(directory) = self.directories.get_mut(name) {
            directory.overtake();
            self.ask(name);
        }
    }

    fn unwatch(&mut self, name: &Arc<str>) {
        let size = self.watch_size(name);
        if let Some(directory) = self.directories.get_mut(name)
            && std::mem::take(&mut directory.watched)
        {
            self.watched_bytes -= size;
        }
    }

    /// Takes in an answer. All events that arrived before it must have been taken in.
    pub(super) fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Root(Ok(names)) => self.root_listed(&names),
            Answer::Root(Err(refusal)) => self.root_refused(refusal),
            Answer::Stat(name, version) => {
                let directory = self.directories.get_mut(&name);
                let verdict = directory.map_or(Verdict::Same, |d| d.stat(version));
                self.judge(&name, verdict);
            }
            Answer::Listed(name, listing) => self.listed(&name, listing),
        }
    }

    fn root_refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Missing if self.empty_root_allowed => self.root_listed(&[]),
            Refusal::Missing => self.distrust = Some(Distrust::RootMissing),
            Refusal::Other(reason) => self.distrust = Some(Distrust::RootUnreadable(reason)),
        }
    }

    /// Everything under the root now gets looked at.
    fn root_listed(&mut self, names: &[String]) {
        let root = self.root.clone();
        let interfaces = names.iter().filter(|name| root.may_be_interface(name));
        let listed: HashSet<&str> = interfaces.map(String::as_str).collect();
        let gone =
            |(name, d): &(&Arc<str>, &Directory)| !listed.contains(&***name) && !d.is_asked();
        let gone: Vec<_> = self
            .directories
            .iter()
            .filter(gone)
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some(directory) = self.remove(&name)
                && directory.held != Held::Nothing
            {
                self.touched.push(name);
            }
        }
        for name in listed {
            self.known(name);
        }
        if self.directories.is_empty() {
            self.doubt(Distrust::RootEmpty);
        }
        let mut all: Vec<_> = self.directories.keys().cloned().collect();
        all.sort_unstable();
        for name in &all {
            self.look_at(name);
        }
        if let Some(pass) = &mut self.pass {
            pass.look_at(all);
        }
    }

    /// Asks for as little as will tell whether a directory is as known.
    fn look_at(&mut self, name: &Arc<str>) {
        let reading = self
            .pass
            .as_ref()
            .is_some_and(|pass| pass.kind == Kind::Reading);
        let Some(directory) = self.directories.get_mut(name) else {
            return;
        };
        if directory.is_versioned() && !(directory.silent && reading) {
            if directory.ask() {
                self.requests.push_back(Request::Stat(name.clone()));
            }
        } else {
            self.ask(name);
        }
    }

    /// Asks for a directory's nodes, unless an answer is awaited.
    fn ask(&mut self, name: &Arc<str>) {
        if self.directories.get_mut(name).is_some_and(Directory::ask) {
            let request = self.list_request(name);
            self.requests.push_back(request);
        }
    }

    /// A request for the nodes of a directory; it also sets a child watch where one is due.
    fn list_request(&mut self, name: &Arc<str>) -> Request {
        let size = self.watch_size(name);
        match self.directories.get_mut(name) {
            Some(directory)
                if directory.silent
                    && !directory.watched
                    && self.watched_bytes + size <= WATCHED_BYTES =>
            {
                directory.watched = true;
                self.watched_bytes += size;
                Request::Watch(name.clone())
            }
            _ => Request::List(name.clone()),
        }
    }

    fn watch_size(&self, name: &str) -> usize {
        self.root.providers(name).len()
    }

    fn listed(&mut self, name: &Arc<str>, listing: Result<(Vec<String>, Version), Refusal>) {
        if listing.is_err() {
            // Nor was a watch set.
            self.unwatch(name);
        }
        let parsed = listing.map(|(names, version)| (self.entries(name, &names), version));
        let Some(directory) = self.directories.get_mut(name) else {
            return;
        };
        let unreadable = matches!(directory.held, Held::Unreadable(_));
        let verdict = directory.listed(parsed);
        if verdict == Verdict::Different && !unreadable {
            self.missed_events(name);
        }
        self.judge(name, verdict);
    }

    /// A directory turned out to be different from what its events said. Before and during a
    /// complete reading that is no wonder; later it means that the server withholds events, as it
    /// does since 3.8.4 and 3.9.2 for nodes that we may not read. Child watches still tell.
    fn missed_events(&mut self, name: &Arc<str>) {
        let reading = matches!(&self.pass, Some(pass) if pass.kind == Kind::Reading);
        let Some(directory) = self.directories.get_mut(name) else {
            return;
        };
        if reading || directory.silent {
            return;
        }
        directory.silent = true;
        self.ask(name);
        self.missed.push(interface_of(name));
    }

    fn judge(&mut self, name: &Arc<str>, verdict: Verdict) {
        match verdict {
            Verdict::List => {
                let request = self.list_request(name);
                self.requests.push_back(request);
                return;
            }
            Verdict::Same => {}
            Verdict::Different => self.touched.push(name.clone()),
            Verdict::Behind => {
                self.distrust = Some(Distrust::Behind(interface_of(name).into()));
            }
        }
        if let Some(pass) = &mut self.pass {
            pass.seen(name);
        }
    }

    /// The entries of a directory, by hash. What is known already is not read again.
    fn entries(&mut self, directory: &Arc<str>, names: &[String]) -> BTreeMap<NodeHash, Entry> {
        let interface = interface_of(directory);
        let known = self.directories.get(directory).map(|d| &d.nodes);
        let mut entries = BTreeMap::new();
        for name in names {
            let hash = hash(name, self.seed);
            let known = known.and_then(|nodes| nodes.get(&hash)).cloned();
            let read = || Entry::read(name, &interface, &self.reading, &mut self.interner);
            entries.insert(hash, known.unwrap_or_else(read));
        }
        entries
    }

    /// The directory `name`, known from now on.
    fn known(&mut self, name: &str) -> Arc<str> {
        if let Some((name, _)) = self.directories.get_key_value(name) {
            return name.clone();
        }
        let name: Arc<str> = name.into();
        self.directories.insert(name.clone(), Directory::default());
        name
    }
}
