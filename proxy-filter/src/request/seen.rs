//! What the names of a call come to, remembered for the calls that follow on the same connection.
//!
//! A connection makes the same few calls again and again, so their words are found by the names
//! themselves, compared exactly, and nothing is formed twice. This file owns what is remembered and its
//! bound; how words are formed is given to it.

use std::borrow::Cow;

use dubbo_codec::{RequestPeek, Target, Text};

use super::refusal::Why;
use crate::names;
use crate::seal::{Sealer, Sum};

/// So many calls are remembered, the most frequent first.
const CALLS: usize = 64;
/// Names that are longer than this together, in bytes, are not remembered.
const NAME_BYTES: usize = 1024;

/// The header values that are made of a call's names alone.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) authority: Cow<'static, str>,
    pub(super) path: String,
    /// The path of a generic call under the other setting of `generic`.
    pub(super) other_path: Option<String>,
    pub(super) version: Option<String>,
    pub(super) group: Option<String>,
    /// Of path, version and group.
    pub(super) sum: Sum,
}

impl Words {
    /// With the sum that belongs to them.
    pub(super) fn summed(mut self, sealer: &Sealer) -> Self {
        let path = (names::PATH, Some(&self.path));
        let others = [
            (names::VERSION, self.version.as_ref()),
            (names::GROUP, self.group.as_ref()),
        ];
        let mut sum = Sum::default();
        for (name, value) in std::iter::once(path).chain(others) {
            if let Some(value) = value {
                sealer.add(&mut sum, name.as_bytes(), value.as_bytes());
            }
        }
        self.sum = sum;
        self
    }
}

/// The names of the calls of one connection, under one configuration.
#[derive(Debug, Default)]
pub struct Seen {
    calls: Vec<Named>,
}

/// A call's names as they came, and what they come to.
#[derive(Debug)]
struct Named {
    method: String,
    target: [Option<String>; 4],
    words: Words,
}

impl Seen {
    /// The words of a call: remembered, or else formed by `form`. Generic calls are formed each time:
    /// their path depends on an argument.
    pub(super) fn words(
        &mut self,
        target: &Target<'_>,
        peek: &RequestPeek<'_>,
        form: impl FnOnce() -> Result<Words, Why>,
    ) -> Result<Cow<'_, Words>, Why> {
        if target.unresolved || peek.is_generic() {
            return form().map(Cow::Owned);
        }
        let names = [target.interface, target.path, target.group, target.version];
        let is = |named: &Named| {
            peek.method == *named.method && names.iter().zip(&named.target).all(is_same)
        };
        if let Some(at) = self.calls.iter().position(is) {
            let before = at.saturating_sub(1);
            self.calls.swap(at, before);
            return Ok(Cow::Borrowed(&self.calls[before].words));
        }
        let words = form()?;
        let Some(named) = named(peek.method, &names) else {
            return Ok(Cow::Owned(words));
        };
        self.calls.truncate(CALLS - 1);
        let (method, target) = named;
        self.calls.push(Named {
            method,
            target,
            words,
        });
        let last = self.calls.len() - 1;
        Ok(Cow::Borrowed(&self.calls[last].words))
    }
}

fn is_same((name, known): (&Option<Text<'_>>, &Option<String>)) -> bool {
    match (name, known) {
        (Some(name), Some(known)) => *name == **known,
        (None, None) => true,
        _ => false,
    }
}

/// The names to be remembered; `None` if they are too long or no text.
fn named(method: Text<'_>, names: &[Option<Text<'_>>; 4]) -> Option<(String, [Option<String>; 4])> {
    let mut bytes = method.as_str()?.len();
    for name in names.iter().flatten() {
        bytes += name.as_str()?.len();
    }
    let owned = names.map(|name| name.map(String::from));
    (bytes <= NAME_BYTES).then(|| (method.into(), owned))
}
