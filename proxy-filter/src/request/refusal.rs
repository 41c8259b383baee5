//! Calls that are not passed on, and why.

use std::borrow::Cow;
use std::fmt;

use dubbo_codec::{Error, FrameHead, Status};

use super::Call;

/// Kinds of refusals, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// The frame is an event or a response.
    NoCall,
    /// The body is not what its head says.
    Malformed,
    /// The name of what is called cannot be told, or cannot be a header.
    NoName,
    /// The path is not the interface's, see the option `custom_paths`.
    CustomPath,
    /// The serialization is not among `serializations`.
    Serialization,
    /// The body is not readable, see the option `unreadable`.
    Unreadable,
    /// A generic call where they are refused, or one that is not in order.
    Generic,
    /// The frame is longer than `limits.call_bytes`.
    TooLong,
    /// There are more headers than the limits allow.
    TooManyHeaders,
    /// The mesh changed interface or method.
    PathChanged,
    /// The mesh changed what cannot be changed in this body.
    CannotChange,
    /// A header that stands for an attachment is no text.
    BadHeader,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NoCall,
        Self::Malformed,
        Self::NoName,
        Self::CustomPath,
        Self::Serialization,
        Self::Unreadable,
        Self::Generic,
        Self::TooLong,
        Self::TooManyHeaders,
        Self::PathChanged,
        Self::CannotChange,
        Self::BadHeader,
    ];

    /// Its name in a metric.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoCall => "no_call",
            Self::Malformed => "malformed",
            Self::NoName => "no_name",
            Self::CustomPath => "custom_path",
            Self::Serialization => "serialization",
            Self::Unreadable => "unreadable",
            Self::Generic => "generic",
            Self::TooLong => "too_long",
            Self::TooManyHeaders => "too_many_headers",
            Self::PathChanged => "path_changed",
            Self::CannotChange => "cannot_change",
            Self::BadHeader => "bad_header",
        }
    }
}

/// A call that is not passed on: what its caller is told instead.
#[derive(Clone, Debug)]
pub struct Refusal {
    class: Class,
    text: Cow<'static, str>,
    call: Call,
}

impl Refusal {
    /// The status of all refusals: the request is at fault, and was not executed.
    pub const STATUS: Status = Status::BAD_REQUEST;

    /// The refusal of a call with this head because its body is longer than `limit`.
    pub fn too_long(head: &FrameHead, limit: u32) -> Self {
        let text = format!("the call has {} bytes, more than {limit}", head.body_len);
        Why::new(Class::TooLong, text).refuse(head)
    }

    /// The kind of refusal.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Why, for people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A whole frame that tells the caller; empty if it does not wait for an answer.
    pub fn reply(&self) -> Vec<u8> {
        self.call
            .error(Self::STATUS, &format!("dubbo-mesh: {}", self.text))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// A refusal that does not yet know its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Why {
    class: Class,
    text: Cow<'static, str>,
}

impl Why {
    pub(super) fn new(class: Class, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class,
            text: text.into(),
        }
    }

    pub(super) fn malformed(error: Error) -> Self {
        Self::new(
            Class::Malformed,
            format!("the call cannot be read: {error}"),
        )
    }

    pub(super) fn refuse(self, head: &FrameHead) -> Refusal {
        // What is no request has nobody who waits.
        let two_way = head.two_way && self.class != Class::NoCall;
        let head = FrameHead { two_way, ..*head };
        Refusal {
            class: self.class,
            text: self.text,
            call: Call::of(&head, None),
        }
    }
}

/// What of a peer's text may stand in ours: its beginning, and nothing that does not print.
pub(super) fn cut(text: &str) -> String {
    text.chars()
        .take(120)
        .flat_map(char::escape_debug)
        .collect()
}
