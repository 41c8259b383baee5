//! What can be wrong with bytes from a peer, and how much of them is read at all.
//!
//! This file owns [`Error`] and [`Limits`]. It must not know any format. An error is three facts:
//! the offset, the name of what was being read there, and what was wrong with it. "More bytes are
//! needed" is never an error but a value (`Option::None`) of the functions that read from a stream.

use core::fmt;

/// Why bytes could not be read. Small and `Copy`: it can be counted, compared and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    at: u32,
    what: What,
    kind: ErrorKind,
}

impl Error {
    pub(crate) const fn new(at: usize, what: What, kind: ErrorKind) -> Self {
        // Offsets are below 2^32: a frame's length is a positive i32, and readers refuse more.
        Self {
            at: at as u32,
            what,
            kind,
        }
    }

    /// Offset of the first byte that is wrong, counted from the start of the slice that was given
    /// to the function (a frame or a body; its documentation says which).
    pub const fn at(&self) -> usize {
        self.at as usize
    }

    /// What was being read.
    pub const fn what(&self) -> What {
        self.what
    }

    /// What was wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What a proxy may sensibly do about it.
    pub const fn advice(&self) -> Advice {
        match self.kind {
            ErrorKind::NotDubbo | ErrorKind::NegativeLength => Advice::Close,
            ErrorKind::Unsupported => Advice::PassThrough,
            _ => Advice::Refuse,
        }
    }

    pub(crate) const fn is_truncated(&self) -> bool {
        matches!(self.kind, ErrorKind::Truncated)
    }

    /// The same error where the slice that was read starts at `base` of a larger one.
    pub const fn shifted(self, base: usize) -> Self {
        Self {
            at: self.at.saturating_add(base as u32),
            ..self
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.what, self.at, self.kind)
    }
}

impl core::error::Error for Error {}

/// What a proxy may sensibly do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// The stream is out of step or is not Dubbo: close the connection.
    Close,
    /// The frame's bounds are known and its body is not acceptable: answer
    /// [`Status::BAD_REQUEST`](crate::Status::BAD_REQUEST) and keep the connection.
    Refuse,
    /// The body is in a form that this crate does not read: forward it unread, if policy allows.
    PassThrough,
}

/// What was wrong with a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The frame does not begin with the magic bytes `da bb`.
    NotDubbo,
    /// The input ends inside what was being read, or announces more elements than bytes are left.
    Truncated,
    /// A lead byte that does not stand for what belongs here.
    UnexpectedByte(u8),
    /// A length or a count below zero.
    NegativeLength,
    /// A length that does not agree with what it is the length of.
    BadLength,
    /// A reference, class or type index that points at nothing that came before.
    BadIndex,
    /// Text that is not in the encoding that the format prescribes.
    BadText,
    /// Bytes are left over after the last element.
    Trailing,
    /// A limit of [`Limits`] is exceeded.
    Limit(Limit),
    /// A serialization, or a form of it, that this crate does not read.
    Unsupported,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDubbo => f.write_str("not a Dubbo frame"),
            Self::Truncated => f.write_str("the input ends too early"),
            Self::UnexpectedByte(byte) => write!(f, "unexpected byte {byte:#04x}"),
            Self::NegativeLength => f.write_str("negative length"),
            Self::BadLength => f.write_str("length does not agree with its content"),
            Self::BadIndex => f.write_str("index of nothing that came before"),
            Self::BadText => f.write_str("text is not in the prescribed encoding"),
            Self::Trailing => f.write_str("bytes are left over"),
            Self::Limit(limit) => write!(f, "limit on {limit} exceeded"),
            Self::Unsupported => f.write_str("not supported"),
        }
    }
}

/// One of the [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::max_body`].
    Body,
    /// [`Limits::max_depth`].
    Depth,
    /// [`Limits::max_values`].
    Values,
    /// [`Limits::max_classes`].
    Classes,
    /// [`Limits::max_attachments`].
    Attachments,
    /// [`Limits::max_arguments`].
    Arguments,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body => "the body's length",
            Self::Depth => "depth",
            Self::Values => "the number of values",
            Self::Classes => "the number of class definitions",
            Self::Attachments => "the number of attachments",
            Self::Arguments => "the number of arguments",
        })
    }
}

/// The name of what was being read when something was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each variant's meaning is the text that Display gives it"
)]
pub enum What {
    Arguments,
    AttachmentKey,
    AttachmentValue,
    Attachments,
    Binary,
    Body,
    ClassDefinition,
    ClassIndex,
    Date,
    DubboVersion,
    Double,
    Event,
    FieldCount,
    Head,
    Int,
    ListLength,
    Long,
    Magic,
    MethodName,
    ParameterTypes,
    Reference,
    ResponseFlag,
    ServiceName,
    ServiceVersion,
    String,
    Symbol,
    Type,
    Value,
    ErrorMessage,
    Length,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arguments => "arguments",
            Self::AttachmentKey => "attachment key",
            Self::AttachmentValue => "attachment value",
            Self::Attachments => "attachments",
            Self::Binary => "binary",
            Self::Body => "body",
            Self::ClassDefinition => "class definition",
            Self::ClassIndex => "class index",
            Self::Date => "date",
            Self::DubboVersion => "dubbo version",
            Self::Double => "double",
            Self::Event => "event",
            Self::FieldCount => "field count",
            Self::Head => "frame head",
            Self::Int => "int",
            Self::ListLength => "list length",
            Self::Long => "long",
            Self::Magic => "magic",
            Self::MethodName => "method name",
            Self::ParameterTypes => "parameter types",
            Self::Reference => "reference",
            Self::ResponseFlag => "response flag",
            Self::ServiceName => "service name",
            Self::ServiceVersion => "service version",
            Self::String => "string",
            Self::Symbol => "symbol",
            Self::Type => "type",
            Self::Value => "value",
            Self::ErrorMessage => "error message",
            Self::Length => "length",
        })
    }
}

/// How much of what a peer says is believed. The defaults admit what Java peers send with theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest body of a frame, in bytes. Default 8 MiB, Dubbo's `payload`.
    pub max_body: u32,
    /// Deepest nesting of lists, maps and objects. Default 512; at most
    /// [`DEPTH_CEILING`](Self::DEPTH_CEILING) counts. Java is bounded by its stack only, at some
    /// thousands.
    pub max_depth: u32,
    /// Most values in a decoded graph. Default 1 Mi (some 100 MB at worst). Passing over values takes no memory and is
    /// not bounded by it.
    pub max_values: u32,
    /// Most class definitions in a body. Default 4,096.
    pub max_classes: u32,
    /// Most attachments in a request or response. Default 1,024.
    pub max_attachments: u32,
    /// Most arguments of a call. Default 255, what a Java method may have.
    pub max_arguments: u32,
    /// Read real four-byte UTF-8 (lead `f0` to `f4`) in Hessian strings, as one unit of length,
    /// the way some older Python, Go and C++ writers meant it. Default false: every Java reader
    /// refuses these bytes.
    pub four_byte_utf8: bool,
}

impl Limits {
    /// Deepest nesting that any setting of [`max_depth`](Self::max_depth) admits.
    pub const DEPTH_CEILING: u32 = 4096;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 8 * 1024 * 1024,
            max_depth: 512,
            max_values: 1024 * 1024,
            max_classes: 4096,
            max_attachments: 1024,
            max_arguments: 255,
            four_byte_utf8: false,
        }
    }
}
