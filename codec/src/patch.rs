//! Changing a request in place: attachments, and the body's path and version.
//!
//! ```text
//! original   head | strings ... | arguments ................ | attachments .... Z
//! patched    head'| strings .. s'| arguments (never copied)  | attachments .. a' Z
//! ```
//! A patch is a list of splices over the original bytes, so nothing else changes and a patch of
//! nothing is the original. Attachments come last and references point backwards, hence adding never
//! renumbers anything. Removing a list, map, object or the definition of a class, type or symbol would
//! renumber what comes after it: then, and only then, the attachments after it are encoded anew, with
//! the tables as the bytes before left them.

use alloc::vec::Vec;
use core::ops::Range;

use crate::body::Written;
use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::frame::FrameHead;
use crate::hessian2::{self, Encoder};
use crate::inline::Inline;
use crate::jsonb;
use crate::reader::Reader;
use crate::request::Request;
use crate::text::Text;

/// Changes to a request that are asked for and not yet worked out.
#[derive(Clone, Debug)]
pub struct RequestEdit<'e> {
    path: Option<&'e str>,
    version: Option<&'e str>,
    attachments: Inline<(&'e str, Option<&'e str>), 6>,
}

impl<'e> RequestEdit<'e> {
    /// No change.
    pub fn new() -> Self {
        Self {
            path: None,
            version: None,
            attachments: Inline::default(),
        }
    }

    /// Sets an attachment to a string. Of several with this key one is left, where the last one was;
    /// a new one comes last.
    pub fn set(&mut self, key: &'e str, value: &'e str) -> &mut Self {
        self.attachments.push((key, Some(value)));
        self
    }

    /// Removes all attachments with this key.
    pub fn remove(&mut self, key: &'e str) -> &mut Self {
        self.attachments.push((key, None));
        self
    }

    /// Sets the body's own service string. The provider's effective path is the attachment `path`
    /// where there is one.
    pub const fn path(&mut self, path: &'e str) -> &mut Self {
        self.path = Some(path);
        self
    }

    /// Sets the body's own version. The provider's effective version is the attachment `version`
    /// where there is one.
    pub const fn version(&mut self, version: &'e str) -> &mut Self {
        self.version = Some(version);
        self
    }

    /// What is wanted of `key`: the last word counts.
    fn changes(&self) -> impl Iterator<Item = (&'e str, Option<&'e str>)> + '_ {
        let all = &self.attachments;
        all.iter()
            .enumerate()
            .filter(|(at, (key, _))| all.iter().skip(at + 1).all(|(later, _)| later != *key))
            .map(|(_, change)| change)
    }
}

impl Default for RequestEdit<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A request frame with changes: new bytes and ranges of the old ones, in order.
#[derive(Clone, Debug)]
pub struct Patch<'a> {
    head: [u8; FrameHead::LEN],
    body: &'a [u8],
    splices: Inline<Splice, 6>,
    bytes: Vec<u8>,
    body_len: usize,
}

/// `body[start..end]` becomes `bytes[from..to]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Splice {
    start: u32,
    end: u32,
    from: u32,
    to: u32,
}

impl<'a> Patch<'a> {
    /// The frame piece by piece, for a vectored write: the head, then parts of the body.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        let end = (self.body.len() as u32, self.body.len() as u32, 0, 0);
        let steps = self
            .splices
            .iter()
            .map(|s| (s.start, s.end, s.from, s.to))
            .chain([end]);
        let parts = steps.flat_map(move |(start, end, from, to)| {
            let kept = self.body.get(at as usize..start as usize);
            at = end;
            [kept, self.bytes.get(from as usize..to as usize)]
        });
        core::iter::once(&self.head[..]).chain(parts.flatten().filter(|part| !part.is_empty()))
    }

    /// Length of the whole frame.
    pub const fn frame_len(&self) -> usize {
        FrameHead::LEN + self.body_len
    }

    /// The frame in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(self.frame_len());
        self.segments()
            .for_each(|part| frame.extend_from_slice(part));
        frame
    }

    /// Nothing changes: the frame is the original byte for byte.
    pub const fn is_empty(&self) -> bool {
        self.splices.len() == 0
    }
}

impl<'a> Request<'a> {
    /// Works out an edit. `head` is the request's head; its length is replaced.
    ///
    /// Fails if the frame would be longer than `limits` allow, if the serialization is one that is
    /// only read here, or if what is removed is what a
    /// fastjson2 path elsewhere in the attachments may point at
    /// ([`ErrorKind::Unsupported`]); the request is unchanged then.
    pub fn patch(
        &self,
        head: &FrameHead,
        edit: &RequestEdit<'_>,
        limits: &Limits,
    ) -> Result<Patch<'a>, Error> {
        let mut work = Work {
            format: self.format().written()?,
            request: self,
            limits,
            splices: Inline::default(),
            bytes: Vec::with_capacity(64),
        };
        work.body_string(1, Some(self.peek().service), edit.path);
        work.body_string(2, self.peek().version, edit.version);
        work.attachments(edit)?;
        work.finish(head)
    }
}

/// A patch that is being worked out. Splices are made in the order of their places.
struct Work<'r, 'a> {
    format: Written,
    request: &'r Request<'a>,
    limits: &'r Limits,
    splices: Inline<Splice, 6>,
    bytes: Vec<u8>,
}

impl<'a> Work<'_, 'a> {
    fn splice(&mut self, place: Range<u32>, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.bytes.len() as u32;
        write(&mut self.bytes);
        let to = self.bytes.len() as u32;
        self.splices.push(Splice {
            start: place.start,
            end: place.end,
            from,
            to,
        });
    }

    /// Replaces one of the strings at the body's beginning if it is another one.
    fn body_string(&mut self, field: usize, old: Option<Text<'_>>, new: Option<&str>) {
        let (Some(new), format) = (new.map(Text::new), self.format) else {
            return;
        };
        if old == Some(new) {
            return;
        }
        let fields = self.request.fields();
        self.splice(fields[field]..fields[field + 1], |out| match format {
            Written::Hessian2 => hessian2::push_string(out, new),
            Written::Jsonb => {
                let start = out.len();
                out.extend([0; 4]);
                jsonb::push_text(out, new);
                let len = (out.len() - start - 4) as u32;
                out[start..start + 4].copy_from_slice(&len.to_be_bytes());
            }
        });
    }

    fn attachments(&mut self, edit: &RequestEdit<'_>) -> Result<(), Error> {
        let entries = self.request.entries();
        let plan = self.plan(edit);
        if plan.is_empty() {
            return Ok(());
        }
        let length = self.splices.len();
        let bytes_before = self.bytes.len();
        if self.format == Written::Jsonb {
            // The length before the map; its value is known when the rest is done.
            self.splice(entries.start - 4..entries.start, |out| out.extend([0; 4]));
        }
        if entries.end == 0 {
            // Null where the map would be.
            let lead = lead(self.format);
            self.splice(entries.start..entries.after, |out| out.push(lead));
        }
        match self.first_renumbered(&plan)? {
            Some(first) => self.rewrite(&plan, first)?,
            None => plan.changes.iter().for_each(|change| self.apply(change)),
        }
        self.append(&plan);
        if self.format == Written::Jsonb {
            let grown = self.growth(length + 1);
            let new_len = (i64::from(entries.after - entries.start) + grown) as u32;
            self.bytes[bytes_before..bytes_before + 4].copy_from_slice(&new_len.to_be_bytes());
        }
        Ok(())
    }

    /// Which entries change and what comes new.
    fn plan<'e>(&self, edit: &RequestEdit<'e>) -> Plan<'e> {
        let attachments = self.request.attachments();
        let mut plan = Plan::default();
        for (key, value) in edit.changes() {
            let mut found = false;
            for index in (0..attachments.len())
                .rev()
                .filter(|i| attachments.has_key(*i, key))
            {
                // The last of several takes the value, the others go.
                let wanted = value.filter(|_| !core::mem::replace(&mut found, true));
                let old = attachments.value(index).and_then(|old| old.as_text());
                if wanted.is_none() || old != wanted.map(Text::new) {
                    plan.changes.push((index, wanted));
                }
            }
            if let (false, Some(value)) = (found, value) {
                plan.new.push((key, value));
            }
        }
        plan.changes.sort_unstable_by_key(|(index, _)| *index);
        plan
    }

    fn entry(&self, index: usize) -> (u32, u32, u32) {
        self.request.entries().get(index).unwrap_or_default()
    }

    /// Removes an entry, or replaces its value by a string.
    fn apply(&mut self, change: &(usize, Option<&str>)) {
        let (key, value, end) = self.entry(change.0);
        let format = self.format;
        match change.1 {
            None => self.splice(key..end, |_| ()),
            Some(text) => self.splice(value..end, |out| push_text(out, format, text)),
        }
    }

    /// New entries, before the end of the map.
    fn append(&mut self, plan: &Plan<'_>) {
        let (entries, format) = (self.request.entries(), self.format);
        let no_map = entries.end == 0;
        let place = if no_map { entries.after } else { entries.end };
        if plan.new.is_empty() && !no_map {
            return;
        }
        self.splice(place..place, |out| {
            for (key, value) in &plan.new {
                push_text(out, format, key);
                push_text(out, format, value);
            }
            if no_map {
                out.push(end_marker(format));
            }
        });
    }

    /// The first entry after a change that the change would renumber.
    fn first_renumbered(&self, plan: &Plan<'_>) -> Result<Option<usize>, Error> {
        let attachments = self.request.attachments();
        let Some((first, defines)) = plan.changes.iter().find_map(|(index, to)| {
            let (key, value) = attachments.raw(*index)?;
            let gone = if to.is_some() { &[] } else { key };
            let facts = Facts::of(self.format, gone).and(Facts::of(self.format, value));
            facts.defines.then_some((*index, facts))
        }) else {
            return Ok(None);
        };
        let mut uses = Facts::default();
        for index in first + 1..attachments.len() {
            if let Some((key, value)) = attachments.raw(index) {
                let format = self.format;
                uses = uses
                    .and(Facts::of(format, key))
                    .and(Facts::of(format, value));
            }
        }
        if uses.paths && defines.parts {
            let at = self.entry(first).0 as usize;
            return Err(Error::new(at, What::Reference, ErrorKind::Unsupported));
        }
        Ok(uses.refers.then_some(first))
    }

    /// Applies the changes up to `first` as splices and encodes anew all that comes after it.
    fn rewrite(&mut self, plan: &Plan<'_>, first: usize) -> Result<(), Error> {
        let before = plan.changes.iter().filter(|(index, _)| *index < first);
        before.for_each(|change| self.apply(change));
        let kept = |index: usize| match plan.changes.iter().find(|(found, _)| *found == index) {
            Some((_, change)) => change.map(Some),
            None => Some(None),
        };
        let tail = match self.format {
            Written::Hessian2 => self.hessian_tail(first, kept)?,
            Written::Jsonb => self.jsonb_tail(first, kept)?,
        };
        let place = self.entry(first).0..self.request.entries().end;
        self.splice(place, |out| out.extend(tail));
        Ok(())
    }

    /// The entries from `first` on, with references, classes and types numbered as if what is
    /// not kept had never been.
    fn hessian_tail<'e>(
        &self,
        first: usize,
        kept: impl Fn(usize) -> Option<Option<&'e str>>,
    ) -> Result<Vec<u8>, Error> {
        let (limits, request) = (
            &Limits {
                four_byte_utf8: true,
                ..self.limits.clone()
            },
            self.request,
        );
        let mut reader = Reader::starting_at(request.body(), request.fields()[5] as usize);
        let mut decoder = hessian2::Decoder::default();
        for _ in request.arguments() {
            decoder.value(&mut reader, limits)?;
        }
        decoder.begin_map(&mut reader, limits)?;
        for _ in 0..first * 2 {
            decoder.value(&mut reader, limits)?;
        }
        let mark = decoder.mark();
        let mut entries = Vec::new();
        for _ in first..request.attachments().len() {
            entries.push([
                decoder.value(&mut reader, limits)?,
                decoder.value(&mut reader, limits)?,
            ]);
        }
        let (graph, types) = decoder.into_parts();
        let mut encoder = Encoder::resume(&graph, mark, &types);
        for (index, [key, value]) in entries.into_iter().enumerate() {
            match kept(first + index) {
                None => {}
                Some(None) => [key, value]
                    .into_iter()
                    .for_each(|part| encoder.value(part)),
                Some(Some(text)) => {
                    encoder.value(key);
                    encoder.text(text);
                }
            }
        }
        Ok(encoder.into_bytes())
    }

    /// The entries from `first` on, with names where there were symbols.
    fn jsonb_tail<'e>(
        &self,
        first: usize,
        kept: impl Fn(usize) -> Option<Option<&'e str>>,
    ) -> Result<Vec<u8>, Error> {
        let entries = self.request.entries();
        let from = entries.start as usize..entries.after as usize;
        let map = self.request.body().get(from).unwrap_or_default();
        let pairs =
            match jsonb::decode(map, self.limits).map_err(|e| e.shifted(entries.start as usize))? {
                jsonb::Value::Object(pairs) => pairs,
                jsonb::Value::Typed(_, map) => match *map {
                    jsonb::Value::Object(pairs) => pairs,
                    _ => Vec::new(),
                },
                _ => Vec::new(),
            };
        let mut out = Vec::new();
        for (index, [key, value]) in pairs.iter().enumerate().skip(first) {
            let Some(change) = kept(index) else { continue };
            out.extend(jsonb::encode(key));
            match change {
                Some(text) => push_text(&mut out, Written::Jsonb, text),
                None => out.extend(jsonb::encode(value)),
            }
        }
        Ok(out)
    }

    /// By how many bytes the splices from `from` on make the body longer.
    fn growth(&self, from: usize) -> i64 {
        let grown = |s: Splice| i64::from(s.to - s.from) - i64::from(s.end - s.start);
        self.splices.iter().skip(from).map(grown).sum()
    }

    fn finish(self, head: &FrameHead) -> Result<Patch<'a>, Error> {
        let body = self.request.body();
        let body_len = (body.len() as i64 + self.growth(0)) as usize;
        if body_len > self.limits.max_body as usize || body_len > i32::MAX as usize {
            return Err(Error::new(12, What::Length, ErrorKind::Limit(Limit::Body)));
        }
        let head = FrameHead {
            body_len: body_len as u32,
            ..*head
        }
        .to_bytes();
        Ok(Patch {
            head,
            body,
            splices: self.splices,
            bytes: self.bytes,
            body_len,
        })
    }
}

/// Which entries change, in order, and what comes new.
#[derive(Debug, Default)]
struct Plan<'e> {
    changes: Vec<(usize, Option<&'e str>)>,
    new: Vec<(&'e str, &'e str)>,
}

impl Plan<'_> {
    const fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.new.is_empty()
    }
}

/// What of a value matters to those around it.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    /// Something in it has a number: an object, a class, a type, a symbol.
    defines: bool,
    /// It has parts.
    parts: bool,
    /// Something in it is meant by its number, or takes one.
    refers: bool,
    /// It holds a path to something else.
    paths: bool,
}

impl Facts {
    const fn and(self, other: Self) -> Self {
        Self {
            defines: self.defines | other.defines,
            parts: self.parts | other.parts,
            refers: self.refers | other.refers,
            paths: self.paths | other.paths,
        }
    }

    fn of(format: Written, value: &[u8]) -> Self {
        match format {
            Written::Hessian2 => {
                let lead = value.first().copied().unwrap_or(b'N');
                let refers = hessian2::has_parts(lead);
                let parts = refers && lead != b'Q';
                Self {
                    defines: parts,
                    parts,
                    refers,
                    paths: false,
                }
            }
            Written::Jsonb => jsonb::facts(value, Self::default(), |facts, part| match part {
                jsonb::Part::Container => Self {
                    parts: true,
                    ..facts
                },
                jsonb::Part::Definition => Self {
                    defines: true,
                    ..facts
                },
                jsonb::Part::Use => Self {
                    refers: true,
                    ..facts
                },
                jsonb::Part::Path => Self {
                    paths: true,
                    ..facts
                },
            })
            .with_paths(),
        }
    }

    /// A container can be what a path points at.
    const fn with_paths(self) -> Self {
        Self {
            defines: self.defines | self.parts,
            ..self
        }
    }
}

const fn lead(format: Written) -> u8 {
    match format {
        Written::Hessian2 => b'H',
        Written::Jsonb => jsonb::OBJECT,
    }
}

const fn end_marker(format: Written) -> u8 {
    match format {
        Written::Hessian2 => b'Z',
        Written::Jsonb => jsonb::OBJECT_END,
    }
}

fn push_text(out: &mut Vec<u8>, format: Written, text: &str) {
    match format {
        Written::Hessian2 => hessian2::push_string(out, Text::new(text)),
        Written::Jsonb => jsonb::push_text(out, Text::new(text)),
    }
}
