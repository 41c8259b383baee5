//! The options of the filter.
//!
//! They are JSON: Envoy hands a `google.protobuf.Struct` over as its JSON text. This file owns their
//! names, defaults and meanings in one table, which README.md shows too. What is not understood is
//! refused, with the name that was probably meant; a configuration is used whole or not at all.

use std::fmt;

use dubbo_codec::Serialization;
use serde_json::{Map, Value};

use crate::header::AllowList;
use crate::seal::Sealer;

mod settings;
mod value;

pub use settings::{SETTINGS, Setting};

/// The options, checked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// What the filter does at all.
    pub mode: Mode,
    /// Attachments that are headers, both ways.
    pub(crate) attachments: AllowList,
    /// The same for tracing, written back where that is possible.
    pub(crate) trace: AllowList,
    /// One bit a serialization that may pass; none set: all.
    serializations: u32,
    /// What becomes of calls whose body cannot be read.
    pub unreadable: Unreadable,
    /// What generic calls are called.
    pub generic: Generic,
    /// What becomes of calls whose path is not their interface.
    pub custom_paths: CustomPaths,
    /// What becomes of calls that are too large to be read, or have too many headers.
    pub over_limit: OverLimit,
    /// HTTP/2 connections get an authority too, from path and `tri-service-*`.
    pub authority_for_http2: bool,
    /// A call that the caller no longer waits for is reset.
    pub deadline: bool,
    /// Milliseconds without traffic after which a provider is sent a heartbeat; 0: never.
    pub heartbeat_ms: u32,
    /// Milliseconds between a readonly event and the close of a connection.
    pub drain_ms: u32,
    /// Such an event precedes the close where Envoy drains.
    pub readonly_event: ReadonlyEvent,
    /// Milliseconds that the rest of a frame may be waited for; 0: for ever.
    pub half_frame_ms: u32,
    /// Milliseconds that a call may wait for the cluster of its route; 0: none.
    pub hold_ms: u32,
    /// What is held at most.
    pub limits: Limits,
    /// The codec's limits, with `limits.frame_bytes`.
    pub frames: dubbo_codec::Limits,
    pub(crate) sealer: Sealer,
}

/// What the filter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the values of an option")]
pub enum Mode {
    /// Calls become HTTP/2 requests.
    Route,
    /// Bytes pass untouched and are counted.
    Observe,
}

/// Whether the application is told that a connection closes soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the values of an option")]
pub enum ReadonlyEvent {
    /// It is not.
    Never,
    /// On all connections that drain, when that begins.
    AtOnce,
    /// On one after another.
    InTurn,
}

/// What becomes of calls whose body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the values of an option")]
pub enum Unreadable {
    /// They go to the authority `unreadable.dubbo`.
    Route,
    /// They are refused.
    Refuse,
}

/// What generic calls are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the values of an option")]
pub enum Generic {
    /// By the method that is meant.
    Method,
    /// `$invoke`, as they are.
    Invoke,
    /// They are refused.
    Refuse,
}

/// What becomes of calls whose path is not their interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the values of an option")]
pub enum CustomPaths {
    /// `:path` is that path, as the provider looks it up: a policy sees what is really called.
    Show,
    /// They are refused.
    Refuse,
    /// `:path` has the interface that the caller names all the same.
    Trust,
}

/// What becomes of calls that are over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the values of an option")]
pub enum OverLimit {
    /// They are refused.
    Refuse,
    /// They are routed by their first strings.
    RouteWithoutAttachments,
}

/// What is held at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a call's body that are gathered to read it.
    pub call_bytes: u32,
    /// Bytes of calls that wait for Envoy, and as many of answers that are longer than a first window.
    pub connection_bytes: u32,
    /// Bytes held for all connections of one worker.
    pub worker_bytes: u32,
    /// Calls in flight on one connection.
    pub calls: u32,
    /// Headers of a request.
    pub headers: u32,
    /// Bytes of all their names and values.
    pub header_bytes: u32,
}

/// The longest body that a Dubbo peer takes by default.
const PAYLOAD: u32 = 8 * 1024 * 1024;
const ATTACHMENTS: [&str; 2] = ["dubbo.tag", "dubbo.force.tag"];
const TRACE: [&str; 12] = [
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "X-B3-TraceId",
    "X-B3-SpanId",
    "X-B3-ParentSpanId",
    "X-B3-Sampled",
    "X-B3-Flags",
    "sw8",
    "sw8-x",
    "sw8-correlation",
];

impl Default for Config {
    fn default() -> Self {
        let list =
            |names: &[&'static str]| AllowList::new(names.iter().copied()).unwrap_or_default();
        Self {
            mode: Mode::Route,
            attachments: list(&ATTACHMENTS),
            trace: list(&TRACE),
            serializations: 0,
            unreadable: Unreadable::Route,
            generic: Generic::Method,
            custom_paths: CustomPaths::Show,
            over_limit: OverLimit::Refuse,
            authority_for_http2: false,
            deadline: true,
            heartbeat_ms: 60_000,
            drain_ms: 4000,
            readonly_event: ReadonlyEvent::AtOnce,
            half_frame_ms: 60_000,
            hold_ms: 1000,
            limits: Limits {
                call_bytes: PAYLOAD,
                connection_bytes: 2 * PAYLOAD,
                worker_bytes: 16 * PAYLOAD,
                calls: 1024,
                headers: 80,
                header_bytes: 48 * 1024,
            },
            frames: dubbo_codec::Limits::default(),
            sealer: Sealer::of_process(()),
        }
        .sealed()
    }
}

/// Why a configuration is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    problem: String,
}

impl ConfigError {
    /// The option `name` has to be `what`, and is something else.
    pub(crate) fn expected(name: &str, what: &str, got: &Value) -> Self {
        Self::new(name, format!("expected {what}, got {}", value::kind(got)))
    }

    fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.path {
            "" => write!(f, "configuration: {}", self.problem),
            path => write!(f, "configuration: `{path}`: {}", self.problem),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the options. The empty text means the defaults.
    pub fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if text.trim_ascii().is_empty() {
            return Ok(config);
        }
        let json: Value = serde_json::from_slice(text)
            .map_err(|e| ConfigError::new("", format!("no JSON: {e}")))?;
        let Value::Object(options) = &json else {
            return Err(ConfigError::new(
                "",
                format!("expected an object, got {}", value::kind(&json)),
            ));
        };
        config.set_all("", options)?;
        config.contradictions()?;
        Ok(config.sealed())
    }

    /// Reads the options of a part at the provider's end, where some have no meaning: whoever sets them
    /// there expects what does not happen.
    pub fn parse_for_provider(text: &[u8]) -> Result<Self, ConfigError> {
        let config = Self::parse(text)?;
        if config.mode == Mode::Observe {
            let problem = "a provider's end cannot let HTTP/2 pass; `dubbo_observe` observes";
            return Err(ConfigError::new("mode", problem));
        }
        Ok(config)
    }

    fn set_all(&mut self, prefix: &str, options: &Map<String, Value>) -> Result<(), ConfigError> {
        for (key, value) in options {
            let name = format!("{prefix}{key}");
            let inner = format!("{name}.");
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) {
                (setting.set)(self, value).map_err(|problem| ConfigError::new(name, problem.0))?;
            } else if !SETTINGS
                .iter()
                .any(|setting| setting.name.starts_with(&inner))
            {
                return Err(ConfigError::new(name, value::unknown(prefix, key)));
            } else if let Value::Object(options) = value {
                self.set_all(&inner, options)?;
            } else {
                let problem = format!("expected an object, got {}", value::kind(value));
                return Err(ConfigError::new(name, problem));
            }
        }
        Ok(())
    }

    /// What each option allows and all of them together do not.
    fn contradictions(&self) -> Result<(), ConfigError> {
        let Limits {
            call_bytes,
            connection_bytes,
            worker_bytes,
            ..
        } = self.limits;
        if call_bytes > connection_bytes {
            let problem = format!(
                "one call may take {call_bytes} bytes, its whole connection only {connection_bytes}"
            );
            return Err(ConfigError::new("limits.connection_bytes", problem));
        }
        if connection_bytes > worker_bytes {
            let problem = format!(
                "one connection may take {connection_bytes} bytes, its whole worker only {worker_bytes}"
            );
            return Err(ConfigError::new("limits.worker_bytes", problem));
        }
        for (name, is_prefix) in self.trace.patterns() {
            if !is_prefix && self.attachments.names(name) {
                return Err(ConfigError::new(
                    "trace",
                    format!("`{name}` is among `attachments` too"),
                ));
            }
        }
        Ok(())
    }

    fn sealed(mut self) -> Self {
        let lists =
            [&self.attachments, &self.trace].map(|list| list.patterns().collect::<Vec<_>>());
        let frame_bytes = self.frames.max_body;
        self.sealer = Sealer::of_process((lists, self.generic, self.serializations, frame_bytes));
        self
    }

    /// Whether calls in this serialization may pass.
    pub fn admits(&self, serialization: Serialization) -> bool {
        self.serializations == 0 || self.serializations & 1 << serialization.id() != 0
    }

    /// The header of an attachment that is one.
    pub(crate) fn header_of<'c>(&'c self, attachment: &[u8]) -> Option<std::borrow::Cow<'c, str>> {
        let lists = [&self.trace, &self.attachments].into_iter();
        let mut lists = lists.filter(|list| list.may_have(attachment));
        lists.find_map(|list| list.header_of(attachment))
    }

    /// Whether a header stands for an attachment.
    pub(crate) fn is_attachment(&self, header: &[u8]) -> bool {
        self.attachments.admits(header) || self.trace.admits(header)
    }
}

#[cfg(test)]
mod tests;
