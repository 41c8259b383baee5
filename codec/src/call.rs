//! Making a call and reading its result, with Rust's own types: feature `serde`.
//!
//! What a Java consumer does between its caller and the wire, without the connection: the frame of a
//! request in Hessian 2, with the attachments that Dubbo's own invoker sets, and the value of the
//! response. Which types fit which values is told in [`hessian2`](crate::hessian2).
//!
//! Source: `DubboCodec.encodeRequestData`, `DubboInvoker.doInvoke`.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::descriptor::count_types;
use crate::error::{Error, ErrorKind, Limits, What};
use crate::exception::Exception;
use crate::frame::{FrameHead, FrameKind};
use crate::hessian2::{self, MappingError, Serializer, Writer};
use crate::response::{Outcome, Response};
use crate::serialization::Serialization;
use crate::status::Status;
use crate::text::Text;

/// The version of the protocol, as all that is newer than 2.6.2 sends it.
const PROTOCOL_VERSION: &str = "2.0.2";

/// A call that is being put together.
///
/// ```
/// use dubbo_codec::hessian2::{from_slice, to_vec};
/// use dubbo_codec::{Call, Frame, Limits, Reply, Request, Response};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// #[serde(rename = "com.acme.Order")]
/// struct Order {
///     id: i64,
///     customer: String,
///     note: Option<String>,
/// }
///
/// let limits = Limits::default();
/// let order = Order { id: 4711, customer: "Ann".into(), note: None };
/// let mut call = Call::new("com.acme.Orders", "submit", "Lcom/acme/Order;I");
/// call.version("1.0.0").attachment("dubbo.tag", "gray");
/// call.argument(&order)?.argument(&3)?;
/// let sent = call.frame(1)?;
///
/// // What a provider sees, and answers.
/// let frame = Frame::parse(&sent, &limits)?.expect("a whole frame");
/// let request = Request::parse(frame.head(), frame.body(), &limits)?;
/// assert_eq!(request.target().service_key()?.to_string(), "com.acme.Orders:1.0.0");
/// let first = request.arguments().next().expect("two arguments");
/// assert_eq!(from_slice::<Order>(first)?, order);
/// let reply = Reply::to(frame.head(), Some(request.peek().dubbo_version))?;
/// let answer = reply.value(&to_vec(&vec!["accepted"])?);
///
/// let frame = Frame::parse(&answer, &limits)?.expect("a whole frame");
/// let response = Response::parse(frame.head(), frame.body(), &limits)?;
/// let result: Vec<&str> = response.value(&limits).map_err(|failure| failure.to_string())?;
/// assert_eq!(result, ["accepted"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Call<'a> {
    interface: &'a str,
    path: &'a str,
    version: &'a str,
    group: Option<&'a str>,
    method: &'a str,
    types: &'a str,
    two_way: bool,
    attachments: Vec<(&'a str, &'a str)>,
    arguments: Serializer,
    given: u32,
}

impl<'a> Call<'a> {
    /// A call of a method. `types` are the JVM descriptors of its parameters, one after the other:
    /// `Ljava/lang/String;I` for a string and an int, empty for none.
    pub fn new(interface: &'a str, method: &'a str, types: &'a str) -> Self {
        Self {
            interface,
            path: interface,
            version: "0.0.0",
            group: None,
            method,
            types,
            two_way: true,
            attachments: Vec::new(),
            arguments: Serializer::new(),
            given: 0,
        }
    }

    /// Sets the service's version; `0.0.0`, the default, is none.
    pub const fn version(&mut self, version: &'a str) -> &mut Self {
        self.version = version;
        self
    }

    /// Sets the service's group; none by default.
    pub const fn group(&mut self, group: &'a str) -> &mut Self {
        self.group = Some(group);
        self
    }

    /// Sets the path that the service is exported under, if it is not the interface.
    pub const fn path(&mut self, path: &'a str) -> &mut Self {
        self.path = path;
        self
    }

    /// Wants no response.
    pub const fn one_way(&mut self) -> &mut Self {
        self.two_way = false;
        self
    }

    /// Adds an attachment.
    pub fn attachment(&mut self, key: &'a str, value: &'a str) -> &mut Self {
        self.attachments.push((key, value));
        self
    }

    /// Adds the next argument. Fails as [`to_vec`](hessian2::to_vec) does; the call is of no use then.
    pub fn argument<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<&mut Self, MappingError> {
        value.serialize(&mut self.arguments)?;
        self.given += 1;
        Ok(self)
    }

    /// The whole frame, with the number that the response will repeat: it must not be the number of
    /// another call of this connection that waits for its response.
    ///
    /// Fails if the types are no descriptors or not as many as the arguments, and on a body above
    /// what a frame can hold.
    pub fn frame(&self, id: i64) -> Result<Vec<u8>, MappingError> {
        let types = Text::new(self.types);
        match count_types(types) {
            Some(count) if count == self.given => {}
            Some(count) => {
                return Err(MappingError::new(format_args!(
                    "{count} parameters and {} arguments",
                    self.given
                )));
            }
            None => {
                return Err(MappingError::new(
                    "the parameter types are no JVM descriptors",
                ));
            }
        }
        let body = self.body(types);
        let Ok(body_len) = i32::try_from(body.len()) else {
            return Err(Error::new(12, What::Length, ErrorKind::BadLength).into());
        };
        let head = FrameHead {
            kind: FrameKind::Request,
            two_way: self.two_way,
            event: false,
            serialization: Serialization::HESSIAN2,
            status: Status(0),
            id,
            body_len: body_len as u32,
        };
        Ok([&head.to_bytes()[..], &body].concat())
    }

    fn body(&self, types: Text<'_>) -> Vec<u8> {
        let mut before = Writer::new();
        let strings = [PROTOCOL_VERSION, self.interface, self.version, self.method];
        for text in strings.map(Text::new).into_iter().chain([types]) {
            before.string(text);
        }
        let mut after = Writer::new();
        after.begin_map(None);
        let own = [
            ("path", self.path),
            ("interface", self.interface),
            ("version", self.version),
        ];
        let group = self.group.map(|group| ("group", group));
        for (key, value) in own.iter().chain(&group).chain(&self.attachments) {
            after.string(Text::new(key));
            after.string(Text::new(value));
        }
        after.end_map();
        [
            before.as_bytes(),
            self.arguments.as_bytes(),
            after.as_bytes(),
        ]
        .concat()
    }
}

/// Why a call has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a response has these three forms beside a value"
)]
pub enum Failure<'a> {
    /// The method threw.
    Thrown(Exception<'a>),
    /// It may or may not have been executed; the message is for people.
    Failed(Status, Option<Text<'a>>),
    /// The value does not fit the type, or is not in Hessian 2.
    Unreadable(MappingError),
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, message): (&dyn fmt::Display, _) = match self {
            Self::Unreadable(error) => return error.fmt(f),
            Self::Failed(status, message) => (status, message),
            Self::Thrown(thrown) => match &thrown.class {
                Some(class) => (class, &thrown.message),
                None => (&"no exception was thrown, but something else", &None),
            },
        };
        kind.fmt(f)?;
        message
            .iter()
            .try_for_each(|message| write!(f, ": {message}"))
    }
}

impl core::error::Error for Failure<'_> {}

impl<'a> Response<'a> {
    /// The value that the call returned: `()` or `None` for null.
    ///
    /// Fails if it returned none, on a value that does not fit the type, and with
    /// [`ErrorKind::Unsupported`] for a serialization other than Hessian 2.
    pub fn value<T: Deserialize<'a>>(&self, limits: &Limits) -> Result<T, Failure<'a>> {
        let encoded = match self.outcome() {
            Outcome::Value(encoded) => encoded,
            Outcome::Null => b"N",
            Outcome::Exception(thrown) => return Err(Failure::Thrown(thrown)),
            Outcome::Failed(message) => return Err(Failure::Failed(self.status(), message)),
        };
        let is_hessian = matches!(
            self.serialization(),
            Serialization::HESSIAN2 | Serialization::NATIVE_HESSIAN
        );
        if !is_hessian && self.outcome() != Outcome::Null {
            let error = Error::new(0, What::Body, ErrorKind::Unsupported);
            return Err(Failure::Unreadable(error.into()));
        }
        hessian2::from_slice_within(encoded, limits).map_err(Failure::Unreadable)
    }
}
