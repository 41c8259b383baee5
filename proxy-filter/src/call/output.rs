//! What a call wants sent, as values.

use crate::header::HeaderSink;
use crate::request::Class;

/// What is to be sent.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// Bytes for the provider.
    pub to_provider: Vec<u8>,
    /// They are the last: our half of the connection closes behind them.
    pub leave: bool,
    /// The response's headers.
    pub headers: Option<ResponseHeaders>,
    /// The next bytes of the response's body.
    pub body: Vec<u8>,
    /// The response ends with them.
    pub end: bool,
    /// The call cannot go on, for this reason: nobody else shall have its connection. What can be told of it
    /// is told, and the response ends with the connection.
    pub abort: Option<&'static str>,
    /// What happened, for metrics.
    pub noted: Noted,
}

/// Status and headers of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseHeaders {
    /// The HTTP status.
    pub status: u16,
    /// The headers, without pseudo headers.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What happened, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Noted {
    /// Heartbeats of the provider that were answered.
    pub heartbeats: u32,
    /// The provider said that it will close.
    pub read_only: u32,
    /// Responses to other calls.
    pub late: u32,
    /// Requests of the provider, which were refused.
    pub callbacks: u32,
    /// The frame was changed.
    pub patched: bool,
    /// The frame passed as it came, by its seal alone.
    pub passed_on: bool,
    /// The call was refused.
    pub refused: Option<Class>,
}

impl HeaderSink for ResponseHeaders {
    fn header(&mut self, name: &[u8], value: &[u8]) {
        if !name.starts_with(b":") {
            self.headers.push((name.to_vec(), value.to_vec()));
        }
    }
}
