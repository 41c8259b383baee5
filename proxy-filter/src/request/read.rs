//! The attachments that a call's headers are made of.

use std::borrow::Cow;

use dubbo_codec::{AttachmentValue, Attachments, Text};

use super::few::Few;
use crate::config::Config;
use crate::header::encode_value;

/// An attachment as a header.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) header: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    /// As the attachment is spelled.
    name: Text<'a>,
}

/// The attachments that say more than their own header, found in one pass. Of several with one name the
/// last counts, as in Java.
#[derive(Debug, Default)]
pub(super) struct Read<'a> {
    pub(super) generic: Option<AttachmentValue<'a>>,
    pub(super) remote_application: Option<AttachmentValue<'a>>,
    pub(super) application: Option<AttachmentValue<'a>>,
    /// What is left of the caller's time, under either of its names, and all of it.
    left: [Option<AttachmentValue<'a>>; 2],
    timeout: Option<AttachmentValue<'a>>,
}

impl<'a> Read<'a> {
    /// Also puts those that are headers into `all`.
    pub(super) fn of(
        attachments: Attachments<'a, '_>,
        config: &'a Config,
        all: &mut Few<Shown<'a>>,
    ) -> Self {
        let mut read = Self::default();
        for entry in attachments.entries() {
            let Some(name) = entry.key() else {
                continue;
            };
            let bytes = match name.ascii() {
                Some(ascii) => Cow::Borrowed(ascii),
                None => Cow::Owned(name.to_str_lossy().into_owned().into_bytes()),
            };
            let place = match &*bytes {
                b"generic" => Some(&mut read.generic),
                b"remote.application" => Some(&mut read.remote_application),
                b"application" => Some(&mut read.application),
                b"_TO" => Some(&mut read.left[0]),
                b"_to" => Some(&mut read.left[1]),
                b"timeout" => Some(&mut read.timeout),
                _ => None,
            };
            if let Some(place) = place {
                *place = Some(entry.value());
            }
            // One more than the limit says that it is reached.
            if all.len() <= config.limits.headers as usize
                && let Some(header) = config.header_of(&bytes)
            {
                show(all, header, name, &entry.value(), config);
            }
        }
        read
    }

    /// How long the caller waits: what is left of it if it says so, else its whole time-out. Callers
    /// before 2.7, which do not say their application so, send the reference's time-out and wait for as
    /// long as the method's (`DubboInvoker`): theirs says nothing.
    pub(super) fn deadline(&self) -> Option<u32> {
        let whole = self.timeout.filter(|_| self.remote_application.is_some());
        let mut given = self.left.into_iter().chain([whole]).flatten();
        given.find_map(millis)
    }
}

/// A time that somebody waits.
fn millis(value: AttachmentValue<'_>) -> Option<u32> {
    let millis = match value {
        AttachmentValue::Int(millis) => i64::from(millis),
        AttachmentValue::Long(millis) => millis,
        AttachmentValue::String(text) => text.to_str_lossy().parse().ok()?,
        _ => return None,
    };
    u32::try_from(millis).ok().filter(|millis| *millis > 0)
}

/// The text of an attachment that has one.
pub(super) fn text(value: Option<AttachmentValue<'_>>) -> Option<Text<'_>> {
    value?.as_text().filter(|text| !text.is_empty())
}

/// Puts an attachment of the list among the headers. Of several names that are one header that counts
/// which the list spells so, else the first in byte order.
fn show<'a>(
    all: &mut Few<Shown<'a>>,
    header: Cow<'a, str>,
    name: Text<'a>,
    value: &AttachmentValue<'a>,
    config: &Config,
) {
    let Some(value) = encode_value(value) else {
        // The last value has no text, so the name has none.
        return all.remove(|shown| shown.header == header && shown.name == name);
    };
    let shown = Shown {
        header,
        value,
        name,
    };
    match all.find(|before| before.header == shown.header) {
        None => all.push(shown),
        Some(before) if counts_more(shown.name, before.name, config) => *before = shown,
        Some(_) => {}
    }
}

fn counts_more(new: Text<'_>, old: Text<'_>, config: &Config) -> bool {
    let [new, old] = [new, old].map(|name| name.to_str_lossy());
    let spelled = |name: &str| config.attachments.spells(name) || config.trace.spells(name);
    new == old || (!spelled(&old) && (spelled(&new) || new < old))
}
