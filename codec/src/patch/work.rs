//! Working a patch out: which entries change, and which bytes take the place of which.

use alloc::vec::Vec;
use core::ops::Range;

use crate::body::Written;
use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::frame::FrameHead;
use crate::hessian2::{self, Encoder};
use crate::inline::Inline;
use crate::jsonb;
use crate::out::{Out, Scratch};
use crate::patch::facts::Facts;
use crate::patch::{Patch, RequestEdit, Splice};
use crate::reader::Reader;
use crate::request::Request;
use crate::text::Text;

/// A patch that is being worked out. Splices are made in the order of their places.
pub(super) struct Work<'w, 'a> {
    pub(super) format: Written,
    pub(super) request: &'w Request<'a>,
    pub(super) limits: &'w Limits,
    pub(super) patch: &'w mut Patch<'a>,
}

impl Work<'_, '_> {
    /// The whole edit, for the request's head.
    pub(super) fn run(mut self, head: &FrameHead, edit: &RequestEdit<'_>) -> Result<(), Error> {
        self.body_string(1, Some(self.request.peek().service), edit.path);
        self.body_string(2, self.request.peek().version, edit.version);
        self.attachments(edit)?;
        self.finish(head)
    }

    fn splice(&mut self, place: Range<u32>, write: impl FnOnce(&mut Scratch)) {
        let from = self.patch.bytes.len() as u32;
        write(&mut self.patch.bytes);
        let to = self.patch.bytes.len() as u32;
        self.patch.splices.push(Splice {
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
                out.bytes(&[0; 4]);
                jsonb::push_text(out, new);
                let len = (out.len() - start - 4) as u32;
                out.put(start, len.to_be_bytes());
            }
        });
    }

    fn attachments(&mut self, edit: &RequestEdit<'_>) -> Result<(), Error> {
        let entries = self.request.entries();
        let plan = self.plan(edit);
        if plan.is_empty() {
            return Ok(());
        }
        let length = self.patch.splices.len();
        let bytes_before = self.patch.bytes.len();
        if self.format == Written::Jsonb {
            // The length before the map; its value is known when the rest is done.
            self.splice(entries.start - 4..entries.start, |out| out.bytes(&[0; 4]));
        }
        if entries.end == 0 {
            // Null where the map would be.
            let lead = lead(self.format);
            self.splice(entries.start..entries.after, |out| out.byte(lead));
        }
        match self.first_renumbered(&plan)? {
            Some(first) => self.rewrite(&plan, first)?,
            None => plan.changes().for_each(|change| self.apply(change)),
        }
        self.append(&plan);
        if self.format == Written::Jsonb {
            let grown = self.growth(length + 1);
            let new_len = (i64::from(entries.after - entries.start) + grown) as u32;
            self.patch.bytes.put(bytes_before, new_len.to_be_bytes());
        }
        Ok(())
    }

    /// Which entries change and what comes new.
    fn plan<'p, 'e>(&self, edit: &'p RequestEdit<'e>) -> Plan<'p, 'e> {
        let attachments = self.request.attachments();
        let mut plan = Plan {
            edit,
            changes: Inline::default(),
            new: Inline::default(),
        };
        for (place, key, value) in edit.changes() {
            let mut found = false;
            for index in (0..attachments.len()).rev() {
                if !attachments.has_key(index, key) {
                    continue;
                }
                // The last of several takes the value, the others go.
                let wanted = value.filter(|_| !core::mem::replace(&mut found, true));
                let old = attachments.value(index).and_then(|old| old.as_text());
                let stays = old.zip(wanted).is_some_and(|(old, wanted)| old == wanted);
                if !stays {
                    let to = if wanted.is_some() { place } else { GONE };
                    plan.changes.push((index, to));
                }
            }
            if !found && value.is_some() {
                plan.new.push(place);
            }
        }
        let changes = plan.changes.as_mut_slice();
        changes.sort_unstable_by_key(|(index, _)| *index);
        plan
    }

    fn entry(&self, index: usize) -> (u32, u32, u32) {
        self.request.entries().get(index).unwrap_or_default()
    }

    /// Removes an entry, or replaces its value by a string.
    fn apply(&mut self, (index, to): (usize, Option<&str>)) {
        let (key, value, end) = self.entry(index);
        let format = self.format;
        match to {
            None => self.splice(key..end, |_| ()),
            Some(text) => self.splice(value..end, |out| push_text(out, format, text)),
        }
    }

    /// New entries, before the end of the map.
    fn append(&mut self, plan: &Plan<'_, '_>) {
        let (entries, format) = (self.request.entries(), self.format);
        let no_map = entries.end == 0;
        let place = if no_map { entries.after } else { entries.end };
        if plan.new.len() == 0 && !no_map {
            return;
        }
        self.splice(place..place, |out| {
            for (key, value) in plan.new_entries() {
                push_text(out, format, key);
                push_text(out, format, value);
            }
            if no_map {
                out.byte(end_marker(format));
            }
        });
    }

    /// The first entry after a change that the change would renumber.
    fn first_renumbered(&self, plan: &Plan<'_, '_>) -> Result<Option<usize>, Error> {
        let attachments = self.request.attachments();
        let Some((first, defines)) = plan.changes().find_map(|(index, to)| {
            let (key, value) = attachments.raw(index)?;
            let gone = if to.is_some() { &[] } else { key };
            let facts = Facts::of(self.format, gone).and(Facts::of(self.format, value));
            facts.defines.then_some((index, facts))
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
    fn rewrite(&mut self, plan: &Plan<'_, '_>, first: usize) -> Result<(), Error> {
        let before = plan.changes().filter(|(index, _)| *index < first);
        before.for_each(|change| self.apply(change));
        let kept = |index: usize| match plan.changes().find(|(found, _)| *found == index) {
            Some((_, change)) => change.map(Some),
            None => Some(None),
        };
        let tail = match self.format {
            Written::Hessian2 => self.hessian_tail(first, kept)?,
            Written::Jsonb => self.jsonb_tail(first, kept)?,
        };
        let place = self.entry(first).0..self.request.entries().end;
        self.splice(place, |out| out.bytes(&tail));
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
                ..*self.limits
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
        self.patch.splices.iter().skip(from).map(grown).sum()
    }

    fn finish(self, head: &FrameHead) -> Result<(), Error> {
        let body_len = (self.request.body().len() as i64 + self.growth(0)) as usize;
        if body_len > self.limits.max_body as usize || body_len > i32::MAX as usize {
            return Err(Error::new(12, What::Length, ErrorKind::Limit(Limit::Body)));
        }
        self.patch.body_len = body_len;
        self.patch.head = FrameHead {
            body_len: body_len as u32,
            ..*head
        }
        .to_bytes();
        Ok(())
    }
}

/// Which entries change, in order, and what comes new: places in the edit that has their texts.
#[derive(Debug)]
struct Plan<'p, 'e> {
    edit: &'p RequestEdit<'e>,
    /// Entries, and what has their new value, or [`GONE`].
    changes: Inline<(usize, usize), 6>,
    new: Inline<usize, 6>,
}

/// No place in an edit: an entry that goes.
const GONE: usize = usize::MAX;

impl<'p, 'e> Plan<'p, 'e> {
    const fn is_empty(&self) -> bool {
        self.changes.len() == 0 && self.new.len() == 0
    }

    fn changes(&self) -> impl Iterator<Item = (usize, Option<&'e str>)> + '_ {
        self.changes.iter().map(|(index, to)| {
            let asked = self.edit.attachments.get(to);
            (index, asked.and_then(|(_, value)| value))
        })
    }

    fn new_entries(&self) -> impl Iterator<Item = (&'e str, &'e str)> + '_ {
        let asked = |place| self.edit.attachments.get(place);
        self.new
            .iter()
            .filter_map(move |place| asked(place).and_then(|(key, value)| Some((key, value?))))
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

fn push_text(out: &mut impl Out, format: Written, text: &str) {
    match format {
        Written::Hessian2 => hessian2::push_string(out, Text::new(text)),
        Written::Jsonb => jsonb::push_text(out, Text::new(text)),
    }
}
