//! Responses: how a call ended.
//!
//! The picture is at [`Response`].
//!
//! Source: `DubboCodec.encodeResponseData` and `DecodeableRpcResult.decode`. The serialization of an
//! error reply need not be the request's: 3.x providers answer in their own default.

use crate::attachment::Attachments;
use crate::body::{BodyReader, Entries, Format};
use crate::error::{Error, ErrorKind, Limits, What};
use crate::exception::Exception;
use crate::frame::FrameHead;
use crate::hessian2::Tables;
use crate::serialization::Serialization;
use crate::status::Status;
use crate::text::Text;

/// A whole response that is no event, borrowed.
///
/// ```text
/// status 20     flag | value or exception | attachments       0 exception  1 value  2 null
/// other status  message                                       3, 4, 5: the same with attachments
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    body: &'a [u8],
    status: Status,
    serialization: Serialization,
    format: Format,
    outcome: Outcome<'a>,
    entries: Entries,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the forms of a response's body")]
pub enum Outcome<'a> {
    /// It returned this value, here as it is on the wire.
    Value(&'a [u8]),
    /// It returned null, or nothing.
    Null,
    /// It threw.
    Exception(Exception<'a>),
    /// The status is not OK: it may or may not have been executed. The message is for people.
    Failed(Option<Text<'a>>),
}

impl<'a> Response<'a> {
    /// Reads a whole body. Fails with offsets from its start, on a body that is not as long as its
    /// head says, and with [`ErrorKind::Unsupported`] for a serialization that this crate does not
    /// read. Any status is accepted, and bytes behind the last element are let be, as Java does.
    pub fn parse(head: &FrameHead, body: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let format = Format::of(head.serialization, body)?;
        if body.len() != head.body_len as usize {
            return Err(Error::new(body.len(), What::Body, ErrorKind::BadLength));
        }
        let mut tables = Tables::default();
        let mut reader = BodyReader::new(format, body, limits);
        let (outcome, has_attachments) = if head.status.is_ok() {
            read_result(&mut reader, &mut tables)?
        } else {
            (
                Outcome::Failed(reader.optional_string(What::ErrorMessage)?),
                false,
            )
        };
        let entries = match has_attachments {
            true => reader.attachments(&mut tables)?,
            false => Entries::at(reader.r.at()),
        };
        let serialization = head.serialization;
        Ok(Self {
            body,
            status: head.status,
            serialization,
            format,
            outcome,
            entries,
        })
    }

    /// The status of the frame.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The serialization of the body.
    pub const fn serialization(&self) -> Serialization {
        self.serialization
    }

    /// How the call ended.
    pub const fn outcome(&self) -> Outcome<'a> {
        self.outcome
    }

    /// The attachments; none where the form of the response has none.
    pub const fn attachments(&self) -> Attachments<'a, '_> {
        Attachments {
            body: self.body,
            format: self.format,
            entries: &self.entries,
        }
    }
}

fn read_result<'a>(
    reader: &mut BodyReader<'a, '_>,
    tables: &mut Tables,
) -> Result<(Outcome<'a>, bool), Error> {
    let at = reader.r.at();
    let flag = reader.flag()?;
    let start = reader.r.at();
    let outcome = match flag {
        0 | 3 => Outcome::Exception(reader.exception(tables)?),
        1 | 4 => {
            reader.skip(tables)?;
            Outcome::Value(reader.r.since(start))
        }
        2 | 5 => Outcome::Null,
        other => {
            let kind = ErrorKind::UnexpectedByte(other as u8);
            return Err(Error::new(at, What::ResponseFlag, kind));
        }
    };
    Ok((outcome, flag >= 3))
}
