//! Changes that are asked for, worked out as a patch of the frame.

use dubbo_codec::{ErrorKind, FrameHead, Patch, Request, RequestEdit};

use super::refusal::{Class, Why, cut};
use crate::config::Config;
use crate::names;

/// Changes that are asked for.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) version: Option<String>,
    attachments: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    name: String,
    value: Option<String>,
    required: bool,
}

impl Changes {
    pub(super) fn push(&mut self, name: &str, value: Option<&str>, required: bool) {
        self.attachments.push(Change {
            name: name.into(),
            value: value.map(Into::into),
            required,
        });
    }

    pub(super) fn patch<'a>(
        &self,
        head: &FrameHead,
        request: &Request<'a>,
        config: &Config,
    ) -> Result<Option<Patch<'a>>, Why> {
        if self.version.is_none() && self.attachments.is_empty() {
            return Ok(None);
        }
        let some = |patch: Patch<'a>| (!patch.is_empty()).then_some(patch);
        if let Ok(patch) = request.patch(head, &self.edit(false), &config.frames) {
            return Ok(some(patch));
        }
        let Some(required) = self.required() else {
            return Ok(None);
        };
        let patch = request.patch(head, &self.edit(true), &config.frames);
        patch.map(some).map_err(|error| match error.kind() {
            ErrorKind::Unsupported => cannot_change(required, head),
            _ => Why::new(
                Class::CannotChange,
                format!("a change of `{required}` cannot be written: {error}"),
            ),
        })
    }

    fn edit(&self, required_only: bool) -> RequestEdit<'_> {
        let mut edit = RequestEdit::new();
        if let Some(version) = &self.version {
            edit.version(version);
        }
        for change in self
            .attachments
            .iter()
            .filter(|change| change.required || !required_only)
        {
            match &change.value {
                Some(value) => edit.set(&change.name, value),
                None => edit.remove(&change.name),
            };
        }
        edit
    }

    /// The name of a change that must not be left out.
    fn required(&self) -> Option<&str> {
        let attachment = self
            .attachments
            .iter()
            .find(|change| change.required)
            .map(|change| &*change.name);
        self.version.as_ref().map(|_| names::VERSION).or(attachment)
    }
}

pub(super) fn cannot_change(name: &str, head: &FrameHead) -> Why {
    let text = format!(
        "`{}` was changed, but {} bodies cannot be changed",
        cut(name),
        head.serialization
    );
    Why::new(Class::CannotChange, text)
}
