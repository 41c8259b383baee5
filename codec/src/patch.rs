//! Changing a request in place: attachments, and the body's path and version.
//!
//! The picture is at [`Patch`].
//!
//! A patch is a list of splices over the original bytes, so nothing else changes and a patch of
//! nothing is the original. Attachments come last and references point backwards, hence adding never
//! renumbers anything. Removing a list, map, object or the definition of a class, type or symbol would
//! renumber what comes after it: then, and only then, the attachments after it are encoded anew, with
//! the tables as the bytes before left them.

mod facts;
mod work;

use alloc::vec::Vec;

use crate::error::{Error, Limits};
use crate::frame::FrameHead;
use crate::inline::Inline;
use crate::out::Scratch;
use crate::patch::work::Work;
use crate::request::Request;

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

    /// What is wanted of each key, and its place: the last word counts.
    fn changes(&self) -> impl Iterator<Item = (usize, &'e str, Option<&'e str>)> + '_ {
        let all = self.attachments.as_slice();
        all.iter().enumerate().filter_map(|(place, (key, value))| {
            let later = all.get(place + 1..).unwrap_or_default();
            let is_last = later.iter().all(|(other, _)| other != key);
            is_last.then_some((place, *key, *value))
        })
    }
}

impl Default for RequestEdit<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A request frame with changes: new bytes and ranges of the old ones, in order.
///
/// ```text
/// original   head | strings ... | arguments ................ | attachments .... Z
/// patched    head'| strings .. s'| arguments (never copied)  | attachments .. a' Z
/// ```
#[derive(Clone, Debug)]
pub struct Patch<'a> {
    head: [u8; FrameHead::LEN],
    body: &'a [u8],
    splices: Inline<Splice, 6>,
    bytes: Scratch,
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
            [kept, self.bytes.as_slice().get(from as usize..to as usize)]
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
    /// Fails, and leaves the request as it is, if the frame would be longer than `limits` allow, and with
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if
    ///
    /// - the serialization is one that is only read here: fastjson, gson, jackson, MessagePack, Protobuf,
    ///   Protobuf as JSON. Hessian 2 and fastjson2 can be changed;
    /// - what is removed is what a fastjson2 path elsewhere in the attachments may point at.
    pub fn patch(
        &self,
        head: &FrameHead,
        edit: &RequestEdit<'_>,
        limits: &Limits,
    ) -> Result<Patch<'a>, Error> {
        let mut patch = Patch {
            head: [0; FrameHead::LEN],
            body: self.body(),
            splices: Inline::default(),
            bytes: Scratch::default(),
            body_len: self.body().len(),
        };
        let work = Work {
            format: self.format().written()?,
            request: self,
            limits,
            patch: &mut patch,
        };
        work.run(head, edit)?;
        Ok(patch)
    }
}
