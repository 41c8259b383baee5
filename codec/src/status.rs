//! How a response says that a call was executed, or why not.

use core::fmt;

/// The status byte of a response. Any number is legal on the wire; the names are of Dubbo's
/// `remoting.exchange.Response`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(pub u8);

impl Status {
    /// The call was executed; a business exception is OK too.
    pub const OK: Self = Self(20);
    /// The provider could not serialize its response (2.7 late, 3.2 and later).
    pub const SERIALIZATION_ERROR: Self = Self(25);
    /// The caller gave up waiting; made by the caller itself.
    pub const CLIENT_TIMEOUT: Self = Self(30);
    /// The provider side gave up.
    pub const SERVER_TIMEOUT: Self = Self(31);
    /// The connection went away; made by the caller itself.
    pub const CHANNEL_INACTIVE: Self = Self(35);
    /// The provider could not read the request.
    pub const BAD_REQUEST: Self = Self(40);
    /// The provider could not write its response.
    pub const BAD_RESPONSE: Self = Self(50);
    /// No such service. Java providers never send it; gateways do.
    pub const SERVICE_NOT_FOUND: Self = Self(60);
    /// The provider's invocation failed outside of the business method.
    pub const SERVICE_ERROR: Self = Self(70);
    /// The provider failed.
    pub const SERVER_ERROR: Self = Self(80);
    /// The caller failed.
    pub const CLIENT_ERROR: Self = Self(90);
    /// The provider has no thread left for the call.
    pub const SERVER_THREADPOOL_EXHAUSTED: Self = Self(100);

    /// Whether the body holds a flag and a result, rather than a message.
    pub const fn is_ok(self) -> bool {
        self.0 == Self::OK.0
    }

    /// Dubbo's name for it; `None` for numbers that Dubbo does not define.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::OK => "OK",
            Self::SERIALIZATION_ERROR => "SERIALIZATION_ERROR",
            Self::CLIENT_TIMEOUT => "CLIENT_TIMEOUT",
            Self::SERVER_TIMEOUT => "SERVER_TIMEOUT",
            Self::CHANNEL_INACTIVE => "CHANNEL_INACTIVE",
            Self::BAD_REQUEST => "BAD_REQUEST",
            Self::BAD_RESPONSE => "BAD_RESPONSE",
            Self::SERVICE_NOT_FOUND => "SERVICE_NOT_FOUND",
            Self::SERVICE_ERROR => "SERVICE_ERROR",
            Self::SERVER_ERROR => "SERVER_ERROR",
            Self::CLIENT_ERROR => "CLIENT_ERROR",
            Self::SERVER_THREADPOOL_EXHAUSTED => "SERVER_THREADPOOL_EXHAUSTED_ERROR",
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "status {}", self.0),
        }
    }
}
