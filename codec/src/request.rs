//! Requests: what is called, with what, and which provider would answer.
//!
//! The picture is at [`Request`].
//!
//! Source: `DubboCodec.encodeRequestData` and `DecodeableRpcInvocation.decode`. Stricter than Java:
//! the strings must be strings (Java turns numbers into text), only the service version may be null,
//! and the parameter types must be whole descriptors.

use crate::attachment::{AttachmentValue, Attachments};
use crate::body::{BodyReader, Entries, Format};
use crate::error::{Error, ErrorKind, Limit, Limits, What};
use crate::frame::FrameHead;
use crate::hessian2::Tables;
use crate::inline::Inline;
use crate::peek::RequestPeek;
use crate::serialization::Serialization;
use crate::service::{ServiceKey, ServiceKeyError};
use crate::text::Text;

/// Where everything in a request's body is: offsets alone, to be kept beside the buffer.
/// [`Request`] reads through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestIndex {
    serialization: Serialization,
    format: Format,
    body_len: u32,
    fields: [u32; 6],
    /// Where each argument begins.
    arguments: Inline<u32, 8>,
    /// Where the last one ends.
    arguments_end: u32,
    entries: Entries,
}

impl RequestIndex {
    /// Passes over the whole body once, without allocating for ordinary frames (up to 8 arguments,
    /// 20 attachments, 16 classes, depth 24). Fails as [`RequestPeek::parse`] does, and on a body
    /// that is not as long as its head says.
    ///
    /// Bytes behind the attachments are let be, as Java does: "Skip input stream".
    pub fn parse(head: &FrameHead, body: &[u8], limits: &Limits) -> Result<Self, Error> {
        Request::parse(head, body, limits).map(|request| request.index)
    }

    /// The request that the index was made of. `None` if `body` has another length.
    pub fn with<'a>(self, body: &'a [u8]) -> Option<Request<'a>> {
        let limits = Limits {
            four_byte_utf8: true,
            ..Limits::default()
        };
        let peek = RequestPeek::read_from(&mut BodyReader::new(self.format, body, &limits)).ok()?;
        (body.len() == self.body_len as usize && peek.fields == self.fields).then_some(Request {
            body,
            peek,
            index: self,
        })
    }
}

/// A whole request, borrowed: what it begins with, and where everything else is.
///
/// ```text
/// body    dubbo version, service, version, method, parameter types | arguments | attachments
/// peek    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^   from a prefix of the body
/// request ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ offsets
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    body: &'a [u8],
    peek: RequestPeek<'a>,
    index: RequestIndex,
}

impl<'a> Request<'a> {
    /// Reads a whole body; see [`RequestIndex::parse`].
    pub fn parse(head: &FrameHead, body: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let format = Format::of(head.serialization, body)?;
        if body.len() != head.body_len as usize {
            return Err(Error::new(body.len(), What::Body, ErrorKind::BadLength));
        }
        let mut reader = BodyReader::new(format, body, limits);
        let peek = RequestPeek::read_from(&mut reader)?;
        let count = peek.count;
        if count > limits.max_arguments {
            let at = peek.fields[4] as usize;
            return Err(Error::new(
                at,
                What::Arguments,
                ErrorKind::Limit(Limit::Arguments),
            ));
        }
        let mut tables = Tables::default();
        let mut arguments = Inline::default();
        for _ in 0..count {
            arguments.push(reader.r.at() as u32);
            reader.skip(&mut tables)?;
        }
        let arguments_end = reader.r.at() as u32;
        let index = RequestIndex {
            serialization: head.serialization,
            format,
            body_len: head.body_len,
            fields: peek.fields,
            arguments,
            arguments_end,
            entries: reader.attachments(&mut tables)?,
        };
        Ok(Self { body, peek, index })
    }

    /// The strings at the beginning.
    pub const fn peek(&self) -> &RequestPeek<'a> {
        &self.peek
    }

    /// The body.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Its serialization.
    pub const fn serialization(&self) -> Serialization {
        self.index.serialization
    }

    /// The offsets, to be kept beside the buffer.
    pub fn into_index(self) -> RequestIndex {
        self.index
    }

    /// The arguments, each as it is on the wire. References in one may point into an earlier one.
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        let arguments = &self.index.arguments;
        (0..arguments.len()).filter_map(move |place| {
            let end = arguments.get(place + 1);
            let end = end.unwrap_or(self.index.arguments_end);
            self.body.get(arguments.get(place)? as usize..end as usize)
        })
    }

    /// The attachments.
    pub const fn attachments(&self) -> Attachments<'a, '_> {
        let RequestIndex {
            format, entries, ..
        } = &self.index;
        Attachments {
            body: self.body,
            format: *format,
            entries,
        }
    }

    /// What the provider will look the service up by.
    pub fn target(&self) -> Target<'a> {
        let attachments = self.attachments();
        let [path, interface, group, version] =
            attachments.get_each(["path", "interface", "group", "version"]);
        let is_other = |value: &_| matches!(value, Some(AttachmentValue::Other(_)));
        let unresolved = [path, interface, group, version].iter().any(is_other);
        // An attachment overwrites what the body says, with null too if it is no string.
        let effective = |value, body| match value {
            None => body,
            Some(AttachmentValue::String(text)) => Some(text),
            Some(_) => None,
        };
        let path = effective(path, Some(self.peek.service));
        let version = effective(version, self.peek.version);
        Target {
            unresolved,
            path,
            interface: effective(interface, None),
            group: effective(group, None),
            version,
            path_differs: path != Some(self.peek.service),
            version_differs: version != self.peek.version,
        }
    }

    pub(crate) const fn format(&self) -> Format {
        self.index.format
    }

    pub(crate) const fn fields(&self) -> &[u32; 6] {
        &self.index.fields
    }

    pub(crate) const fn entries(&self) -> &Entries {
        &self.index.entries
    }
}

/// What a provider will look the service of a request up by.
///
/// Providers put the body's service and version among the attachments first and then all attachments
/// over them (`DecodeableRpcInvocation`), so the attachments win. A router that reads the body alone
/// can be made to disagree with the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The exported path, most often the interface.
    pub path: Option<Text<'a>>,
    /// The attachment `interface`; old callers send none.
    pub interface: Option<Text<'a>>,
    /// The group, if there is one.
    pub group: Option<Text<'a>>,
    /// The version; `0.0.0` and null mean none.
    pub version: Option<Text<'a>>,
    /// The body's service is not the path. Legitimate where a path is configured: newer callers write
    /// the interface into the body.
    pub path_differs: bool,
    /// The body's version is not the version. Never so in what Dubbo sends.
    pub version_differs: bool,
    /// One of the attachments is no plain value. Dubbo never sends that; what a provider makes of it
    /// (a path of fastjson2 may lead to a string) is not known here: refuse it.
    pub unresolved: bool,
}

impl Target<'_> {
    /// The service that is called: the attachment `interface`, else the path after its last `/`.
    /// Fails if both are missing or empty.
    pub fn service_key(&self) -> Result<ServiceKey, ServiceKeyError> {
        let path = self.path.unwrap_or(Text::EMPTY).to_str_lossy();
        let last = path.rsplit('/').next().unwrap_or(&path);
        let interface = self
            .interface
            .map_or_else(|| last.into(), |text| text.to_str_lossy());
        let group = self.group.unwrap_or(Text::EMPTY).to_str_lossy();
        let version = self.version.unwrap_or(Text::EMPTY).to_str_lossy();
        ServiceKey::new(&interface, &group, &version)
    }
}
