//! What the mesh changed of a call's headers, written into its frame.
//!
//! | header | in the frame |
//! |---|---|
//! | `tri-service-version` | the body's version, and the attachment `version` if there is one |
//! | `tri-service-group` | the attachment `group` |
//! | attachments of the list | set; removed only if a seal of ours says that they were there |
//! | `:path` | refused |
//! | anything else | nothing |
//!
//! Where no seal of ours says that a header was there, a missing version or group that the call has is
//! refused: a policy that looked at the headers would have judged another call than the provider gets.

use std::borrow::Cow;

use dubbo_codec::{ErrorKind, Frame, FrameHead, Patch, Request};

use super::changes::{Changes, cannot_change};
use super::refusal::{Class, Refusal, Why, cut};
use super::seen::Seen;
use super::told::Told;
use crate::config::{Config, Unreadable};
use crate::header::decode_text;
use crate::names;
use crate::seal::{Sum, Verdict};

/// The version that means none.
const NO_VERSION: &str = "0.0.0";

/// Whether a header is one that would be written back.
fn takes_part(name: &[u8], config: &Config) -> bool {
    [names::PATH, names::VERSION, names::GROUP]
        .iter()
        .any(|own| name == own.as_bytes())
        || config.is_attachment(name)
}

/// Whether our other half says that these headers are as it made them from the frame of this head:
/// then the frame passes as it is, and its body need not be gathered.
pub fn is_untouched<'h>(
    head: &FrameHead,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    config: &Config,
) -> bool {
    verdict(head, headers, config) == Verdict::Untouched
}

/// The frame with what the mesh changed of its headers. `None`: nothing, the frame goes out byte for
/// byte. What cannot be written is refused, but for tracing, which is left out.
pub fn write_back<'a, 'h>(
    frame: &Frame<'a>,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone,
    config: &Config,
) -> Result<Option<Patch<'a>>, Refusal> {
    let head = frame.head();
    let refuse = |why: Why| why.refuse(head);
    super::check_head(head, config).map_err(refuse)?;
    let missing = match verdict(head, headers.clone(), config) {
        Verdict::Untouched => return Ok(None),
        Verdict::Changed { whole: true } => Missing::Removed,
        Verdict::Changed { whole: false } => Missing::NeverThere,
        Verdict::Foreign => Missing::Unknown,
    };
    let arrived = Arrived::of(headers, config);
    match Request::parse(head, frame.body(), &config.frames) {
        Ok(request) => arrived.patch(head, &request, missing, config),
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(Why::malformed(error)),
        Err(_) if config.unreadable == Unreadable::Refuse => Err(Why::new(
            Class::Unreadable,
            format!("calls in {} cannot be read", head.serialization),
        )),
        Err(_) => arrived.unreadable(head, config).map(|()| None),
    }
    .map_err(refuse)
}

/// What it means that a header is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// We sent it, and somebody took it away.
    Removed,
    /// We did not send all there is.
    NeverThere,
    /// Who sent these headers, and which, is not known.
    Unknown,
}

/// What the seal among these headers says of them.
fn verdict<'h>(
    head: &FrameHead,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    config: &Config,
) -> Verdict {
    let (mut seal, mut sum) = (None, Sum::default());
    for (name, value) in headers {
        if name == names::SEAL.as_bytes() {
            seal = Some(value);
        } else if takes_part(name, config) {
            config.sealer.add(&mut sum, name, value);
        }
    }
    config.sealer.verdict(seal, head, sum)
}

/// The headers that would be written back, as they arrived.
#[derive(Debug, Default)]
struct Arrived<'h> {
    path: Option<&'h [u8]>,
    version: Vec<&'h [u8]>,
    group: Vec<&'h [u8]>,
    attachments: Vec<(&'h [u8], &'h [u8])>,
}

impl<'h> Arrived<'h> {
    fn of(headers: impl Iterator<Item = (&'h [u8], &'h [u8])>, config: &Config) -> Self {
        let mut arrived = Self::default();
        for (name, value) in headers {
            if !takes_part(name, config) {
                continue;
            }
            if name == names::PATH.as_bytes() {
                arrived.path = Some(value);
            } else if name == names::VERSION.as_bytes() {
                arrived.version.push(value);
            } else if name == names::GROUP.as_bytes() {
                arrived.group.push(value);
            } else {
                arrived.attachments.push((name, value));
            }
        }
        arrived
    }

    fn patch<'a>(
        &self,
        head: &FrameHead,
        request: &Request<'a>,
        missing: Missing,
        config: &Config,
    ) -> Result<Option<Patch<'a>>, Why> {
        let mut seen = Seen::default();
        let mut told = Told::of_words(Told::words_of(request, config, &mut seen)?, request.peek());
        told.read(request, config)?;
        self.check_path(&told)?;
        let mut changes = Changes::default();
        self.service(&told, request, missing, &mut changes)?;
        self.set_attachments(&told, request, config, &mut changes)?;
        if missing == Missing::Removed {
            self.remove_attachments(&told, request, config, &mut changes);
        }
        changes.patch(head, request, config)
    }

    fn check_path(&self, told: &Told<'_>) -> Result<(), Why> {
        let arrived = self.path.unwrap_or_default();
        let is = |path: &String| path.as_bytes() == arrived;
        if is(&told.words.path) || told.words.other_path.as_ref().is_some_and(is) {
            return Ok(());
        }
        let text = format!(
            "the path of this call, `{}`, was changed to `{}`, but a Dubbo call keeps its interface and method",
            cut(&told.words.path),
            cut(&String::from_utf8_lossy(arrived)),
        );
        Err(Why::new(Class::PathChanged, text))
    }

    /// Version and group.
    fn service(
        &self,
        told: &Told<'_>,
        request: &Request<'_>,
        missing: Missing,
        changes: &mut Changes,
    ) -> Result<(), Why> {
        let version = one(names::VERSION, &self.version)?
            .map(|v| if v == NO_VERSION { "".into() } else { v });
        let told_version = told.words.version.as_deref();
        if let Some(version) = changed(names::VERSION, version, told_version, missing)? {
            let version = if version.is_empty() {
                NO_VERSION.into()
            } else {
                version
            };
            if request.attachments().get("version").is_some() {
                changes.push("version", Some(&version), true);
            }
            changes.version = Some(version.into_owned());
        }
        let group = one(names::GROUP, &self.group)?;
        let told_group = told.words.group.as_deref();
        if let Some(group) = changed(names::GROUP, group, told_group, missing)? {
            changes.push(
                "group",
                Some(&*group).filter(|group| !group.is_empty()),
                true,
            );
        }
        Ok(())
    }

    /// Attachments that are new or have another value.
    fn set_attachments(
        &self,
        told: &Told<'_>,
        request: &Request<'_>,
        config: &Config,
        changes: &mut Changes,
    ) -> Result<(), Why> {
        for (at, (header, value)) in self.attachments.iter().enumerate() {
            if self.attachments[..at]
                .iter()
                .any(|(before, _)| before == header)
            {
                continue;
            }
            let shown = told
                .attachments
                .iter()
                .find(|shown| shown.header.as_bytes() == *header);
            let values = self.attachments.iter().filter(|(name, _)| name == header);
            let is_same = |shown: &super::read::Shown<'_>| shown.value.as_bytes() == *value;
            if values.clone().count() == 1 && shown.is_some_and(is_same) {
                continue;
            }
            let required = !config.trace.admits(header);
            let names = spelled(header, request, config);
            let texts: Option<Vec<_>> = values.map(|(_, value)| decode_text(value)).collect();
            match texts {
                // Several lines of one header are one value with commas (RFC 9110 section 5.3).
                Some(texts) if !names.is_empty() => {
                    let text = texts.join(",");
                    names
                        .iter()
                        .for_each(|name| changes.push(name, Some(&text), required));
                }
                _ if required => return Err(no_text(header)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Attachments whose header was taken away.
    fn remove_attachments(
        &self,
        told: &Told<'_>,
        request: &Request<'_>,
        config: &Config,
        changes: &mut Changes,
    ) {
        for shown in told.attachments.iter() {
            let header = shown.header.as_bytes();
            if self.attachments.iter().all(|(name, _)| *name != header) {
                let required = !config.trace.admits(header);
                let names = spelled(header, request, config);
                names
                    .iter()
                    .for_each(|name| changes.push(name, None, required));
            }
        }
    }

    /// Nothing can be written into a body that cannot be read.
    fn unreadable(&self, head: &FrameHead, config: &Config) -> Result<(), Why> {
        self.check_path(&Told::unreadable(head.serialization, config))?;
        let attachment = self.attachments.iter().map(|(name, _)| *name);
        let version = (!self.version.is_empty()).then_some(names::VERSION.as_bytes());
        let group = (!self.group.is_empty()).then_some(names::GROUP.as_bytes());
        let mut required = attachment
            .filter(|name| !config.trace.admits(name))
            .chain(version)
            .chain(group);
        match required.next() {
            None => Ok(()),
            Some(name) => Err(cannot_change(&String::from_utf8_lossy(name), head)),
        }
    }
}

/// The one value of a header that must not have several.
fn one<'h>(name: &'static str, values: &[&'h [u8]]) -> Result<Option<Cow<'h, str>>, Why> {
    match values {
        [] => Ok(None),
        [value] => decode_text(value)
            .map(Some)
            .ok_or_else(|| no_text(name.as_bytes())),
        _ => {
            let text = format!(
                "{} values of `{name}`: set it, do not add to it",
                values.len()
            );
            Err(Why::new(Class::BadHeader, text))
        }
    }
}

/// What is wanted instead of what the call says, if that is something else.
fn changed<'h>(
    name: &str,
    arrived: Option<Cow<'h, str>>,
    told: Option<&str>,
    missing: Missing,
) -> Result<Option<Cow<'h, str>>, Why> {
    let told = told
        .and_then(|told| decode_text(told.as_bytes()))
        .unwrap_or_default();
    match (arrived, missing) {
        (Some(arrived), _) => Ok((arrived != told).then_some(arrived)),
        (None, _) if told.is_empty() => Ok(None),
        (None, Missing::Removed) => Ok(Some(Cow::Borrowed(""))),
        (None, Missing::NeverThere) => Ok(None),
        (None, Missing::Unknown) => {
            let told = cut(&told);
            let text = format!("the call says `{told}`, and there is no `{name}` that says so");
            Err(Why::new(Class::BadHeader, text))
        }
    }
}

/// How the attachments are spelled that a header stands for: as in the frame, else as in the list.
fn spelled(header: &[u8], request: &Request<'_>, config: &Config) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in request.attachments().iter() {
        let Some(name) = name.map(|name| name.to_str_lossy()) else {
            continue;
        };
        let is = config
            .header_of(name.as_bytes())
            .is_some_and(|found| found.as_bytes() == header);
        if is && !names.iter().any(|known| *known == name) {
            names.push(name.into_owned());
        }
    }
    if names.is_empty() {
        let list = if config.trace.admits(header) {
            &config.trace
        } else {
            &config.attachments
        };
        names.extend(list.spelling(header));
    }
    names
}

fn no_text(header: &[u8]) -> Why {
    let text = format!(
        "the header `{}` is no text",
        cut(&String::from_utf8_lossy(header))
    );
    Why::new(Class::BadHeader, text)
}
