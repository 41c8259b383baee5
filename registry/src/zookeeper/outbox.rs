//! What is still to be told, and in which order. Pure.
//!
//! ```text
//! complete → Restarted, every list, Synced, State(Live)    then touched lists, as they change
//! trouble  → State(Connecting | Stale); what was not told yet is dropped: a reading will follow
//! ```
//!
//! A list is looked up when it is told, not when it changed: while the reader is busy, any number
//! of changes of one list become one event, and what waits here is never more than the tree.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::mirror::Mirror;
use crate::event::{News, SourceState};

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// In this order.
    waiting: VecDeque<Item>,
    touched: VecDeque<Arc<str>>,
    is_touched: HashSet<Arc<str>>,
    /// The last state that was told.
    told: Option<SourceState>,
    /// A complete reading was told at least once.
    was_read: bool,
}

#[derive(Debug)]
enum Item {
    News(News),
    List(Arc<str>),
}

impl Outbox {
    /// The registry cannot be followed now, or not yet.
    pub(super) fn trouble(&mut self, text: &str) {
        let state = if self.was_read {
            SourceState::Stale(text.into())
        } else {
            SourceState::Connecting(text.into())
        };
        self.waiting.clear();
        self.touched.clear();
        self.is_touched.clear();
        if self.told.as_ref() != Some(&state) {
            self.waiting.push_back(Item::News(News::State(state)));
        }
    }

    /// The registry has been read completely: these are its lists.
    pub(super) fn complete(&mut self, lists: Vec<Arc<str>>) {
        self.touched.clear();
        self.is_touched.clear();
        self.waiting.push_back(Item::News(News::Restarted));
        self.waiting.extend(lists.into_iter().map(Item::List));
        self.waiting.push_back(Item::News(News::Synced));
        self.waiting
            .push_back(Item::News(News::State(SourceState::Live)));
    }

    /// These lists have changed.
    pub(super) fn touch(&mut self, lists: Vec<Arc<str>>) {
        for list in lists {
            if self.is_touched.insert(list.clone()) {
                self.touched.push_back(list);
            }
        }
    }

    /// Whether a complete reading was told at least once.
    pub(super) fn was_read(&self) -> bool {
        self.was_read
    }

    /// Whether there is nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.touched.is_empty()
    }

    /// What to tell next.
    pub(super) fn next(&mut self, mirror: &Mirror) -> Option<News> {
        match self.waiting.pop_front() {
            Some(Item::News(news)) => {
                match &news {
                    News::State(state) => self.told = Some(state.clone()),
                    News::Synced => self.was_read = true,
                    _ => {}
                }
                Some(news)
            }
            Some(Item::List(list)) => Some(mirror.news(&list)),
            None => {
                let list = self.touched.pop_front()?;
                self.is_touched.remove(&list);
                Some(mirror.news(&list))
            }
        }
    }
}
