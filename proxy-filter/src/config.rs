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

mod value;

use value::Problem;

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
    /// They are refused.
    Refuse,
    /// The interface that the caller names is believed.
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
    /// Bytes held for one connection.
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
            custom_paths: CustomPaths::Refuse,
            over_limit: OverLimit::Refuse,
            authority_for_http2: false,
            deadline: true,
            heartbeat_ms: 60_000,
            drain_ms: 10_000,
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

/// One option.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Setting {
    /// Its place in the JSON, with dots.
    pub name: &'static str,
    /// Its default, as JSON.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
    set: fn(&mut Config, &Value) -> Result<(), Problem>,
}

/// All options. The documentation's table is this one.
pub const SETTINGS: [Setting; 19] = [
    Setting {
        name: "mode",
        default: r#""route""#,
        meaning: "`route`: calls become HTTP/2 requests; `observe`: bytes pass untouched and are counted",
        set: |c, v| {
            value::one_of(
                &mut c.mode,
                v,
                &[("route", Mode::Route), ("observe", Mode::Observe)],
            )
        },
    },
    Setting {
        name: "attachments",
        default: r#"["dubbo.tag","dubbo.force.tag"]"#,
        meaning: "attachments that are headers and are written back: names and `prefix*`",
        set: |c, v| value::allow_list(&mut c.attachments, v),
    },
    Setting {
        name: "trace",
        default: r#"["traceparent","tracestate","baggage","b3","X-B3-TraceId","X-B3-SpanId","X-B3-ParentSpanId","X-B3-Sampled","X-B3-Flags","sw8","sw8-x","sw8-correlation"]"#,
        meaning: "the same for tracing: left out silently where a body cannot be changed",
        set: |c, v| value::allow_list(&mut c.trace, v),
    },
    Setting {
        name: "serializations",
        default: "[]",
        meaning: "serializations that may pass, by name or number; empty: all",
        set: |c, v| value::serializations(&mut c.serializations, v),
    },
    Setting {
        name: "unreadable",
        default: r#""route""#,
        meaning: "calls whose body cannot be read (Java, Kryo, Protobuf, ...): `route` to the authority `unreadable.dubbo`, or `refuse`",
        set: |c, v| {
            let words = [("route", Unreadable::Route), ("refuse", Unreadable::Refuse)];
            value::one_of(&mut c.unreadable, v, &words)
        },
    },
    Setting {
        name: "generic",
        default: r#""method""#,
        meaning: "`:path` of generic calls: the `method` that is meant, or `invoke` for `$invoke`; or `refuse` them",
        set: |c, v| {
            let words = [
                ("method", Generic::Method),
                ("invoke", Generic::Invoke),
                ("refuse", Generic::Refuse),
            ];
            value::one_of(&mut c.generic, v, &words)
        },
    },
    Setting {
        name: "custom_paths",
        default: r#""refuse""#,
        meaning: "calls whose `path` is not, and does not end in `/` and, their interface: `refuse`, or `trust` the interface that the caller names",
        set: |c, v| {
            let words = [
                ("refuse", CustomPaths::Refuse),
                ("trust", CustomPaths::Trust),
            ];
            value::one_of(&mut c.custom_paths, v, &words)
        },
    },
    Setting {
        name: "over_limit",
        default: r#""refuse""#,
        meaning: "calls above `limits.call_bytes`, `limits.headers` or `limits.header_bytes`: `refuse`, or `route_without_attachments`",
        set: |c, v| {
            let words = [
                ("refuse", OverLimit::Refuse),
                (
                    "route_without_attachments",
                    OverLimit::RouteWithoutAttachments,
                ),
            ];
            value::one_of(&mut c.over_limit, v, &words)
        },
    },
    Setting {
        name: "authority_for_http2",
        default: "false",
        meaning: "set `:authority` on HTTP/2 connections (Triple) too, from path and `tri-service-*`",
        set: |c, v| value::flag(&mut c.authority_for_http2, v),
    },
    Setting {
        name: "deadline",
        default: "true",
        meaning: "reset a call once its caller no longer waits for it",
        set: |c, v| value::flag(&mut c.deadline, v),
    },
    Setting {
        name: "heartbeat_ms",
        default: "60000",
        meaning: "silence after which a provider is sent a heartbeat; 0: never",
        set: |c, v| value::number(&mut c.heartbeat_ms, v, 0..=u32::MAX),
    },
    Setting {
        name: "drain_ms",
        default: "10000",
        meaning: "time between the readonly event and the close of a connection",
        set: |c, v| value::number(&mut c.drain_ms, v, 0..=u32::MAX),
    },
    Setting {
        name: "limits.frame_bytes",
        default: "8388608",
        meaning: "longest body of a frame; Dubbo's `payload`",
        set: |c, v| value::number(&mut c.frames.max_body, v, 1..=i32::MAX as u32),
    },
    Setting {
        name: "limits.call_bytes",
        default: "8388608",
        meaning: "bytes of a call's body that are gathered to read it",
        set: |c, v| value::number(&mut c.limits.call_bytes, v, 1..=i32::MAX as u32),
    },
    Setting {
        name: "limits.connection_bytes",
        default: "16777216",
        meaning: "bytes held for one connection",
        set: |c, v| value::number(&mut c.limits.connection_bytes, v, 1..=u32::MAX),
    },
    Setting {
        name: "limits.worker_bytes",
        default: "134217728",
        meaning: "bytes held for all connections of one worker",
        set: |c, v| value::number(&mut c.limits.worker_bytes, v, 1..=u32::MAX),
    },
    Setting {
        name: "limits.calls",
        default: "1024",
        meaning: "calls in flight on one connection",
        set: |c, v| value::number(&mut c.limits.calls, v, 1..=u32::MAX),
    },
    Setting {
        name: "limits.headers",
        default: "80",
        meaning: "headers of a request; Envoy's own limit is 100, and it adds some",
        set: |c, v| value::number(&mut c.limits.headers, v, 16..=u32::MAX),
    },
    Setting {
        name: "limits.header_bytes",
        default: "49152",
        meaning: "bytes of their names and values; Envoy's own limit is 60 KiB",
        set: |c, v| value::number(&mut c.limits.header_bytes, v, 1024..=u32::MAX),
    },
];

/// Why a configuration is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    problem: String,
}

impl ConfigError {
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
    pub(crate) fn header_of(&self, attachment: &str) -> Option<std::borrow::Cow<'_, str>> {
        self.trace
            .header_of(attachment)
            .or_else(|| self.attachments.header_of(attachment))
    }

    /// Whether a header stands for an attachment.
    pub(crate) fn is_attachment(&self, header: &[u8]) -> bool {
        self.attachments.admits(header) || self.trace.admits(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_same_table() {
        let rows =
            SETTINGS.map(|s| format!("| `{}` | `{}` | {} |\n", s.name, s.default, s.meaning));
        let table = format!(
            "| option | default | meaning |\n|---|---|---|\n{}\n",
            rows.concat()
        );
        assert!(
            include_str!("../README.md").contains(&table),
            "README.md should have\n{table}"
        );
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let defaults = Config::default();
        for setting in SETTINGS {
            let mut config = defaults.clone();
            config.attachments = AllowList::default();
            config.trace = AllowList::default();
            let value = serde_json::from_str(setting.default).unwrap();
            (setting.set)(&mut config, &value).unwrap();
            match setting.name {
                "attachments" => assert_eq!(config.attachments, defaults.attachments),
                "trace" => assert_eq!(config.trace, defaults.trace),
                _ => {
                    config.attachments = defaults.attachments.clone();
                    config.trace = defaults.trace.clone();
                    assert_eq!(config, defaults, "{}", setting.name);
                }
            }
        }
        for text in ["", " \n", "{}", r#"{"limits":{}}"#] {
            assert_eq!(
                Config::parse(text.as_bytes()).as_ref(),
                Ok(&defaults),
                "{text:?}"
            );
        }
    }

    #[test]
    fn every_option_can_be_set() {
        let text = br#"{"mode":"observe","attachments":["Region","acme-*"],"trace":[],
            "serializations":["hessian2",23],"unreadable":"refuse","generic":"invoke","custom_paths":"trust",
            "over_limit":"route_without_attachments","authority_for_http2":true,"deadline":false,
            "heartbeat_ms":0,"drain_ms":5000.0,"limits":{"frame_bytes":1,"call_bytes":2,
            "connection_bytes":3,"worker_bytes":4,"calls":5,"headers":16,"header_bytes":1024}}"#;
        let expected = Config {
            mode: Mode::Observe,
            attachments: AllowList::new(["Region", "acme-*"]).unwrap(),
            trace: AllowList::default(),
            serializations: 1 << 2 | 1 << 23,
            unreadable: Unreadable::Refuse,
            generic: Generic::Invoke,
            custom_paths: CustomPaths::Trust,
            over_limit: OverLimit::RouteWithoutAttachments,
            authority_for_http2: true,
            deadline: false,
            heartbeat_ms: 0,
            drain_ms: 5000,
            limits: Limits {
                call_bytes: 2,
                connection_bytes: 3,
                worker_bytes: 4,
                calls: 5,
                headers: 16,
                header_bytes: 1024,
            },
            frames: {
                let mut limits = dubbo_codec::Limits::default();
                limits.max_body = 1;
                limits
            },
            sealer: Sealer::of_process(()),
        };
        let config = Config::parse(text).unwrap();
        assert_eq!(config, expected.sealed());
        let admitted = (0..32).filter(|id| config.admits(Serialization::new(*id)));
        assert_eq!(admitted.collect::<Vec<_>>(), [2, 23]);
        assert!((0..32).all(|id| Config::default().admits(Serialization::new(id))));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, error) in [
            ("[]", "configuration: expected an object, got a list"),
            (
                r#"{"attachment":[]}"#,
                "configuration: `attachment`: no such option; did you mean `attachments`?",
            ),
            (
                r#"{"limits":{"cals":1}}"#,
                "configuration: `limits.cals`: no such option; did you mean `limits.calls`?",
            ),
            (
                r#"{"zzz":1}"#,
                "configuration: `zzz`: no such option; there are `mode`, `attachments`, `trace`, `serializations`, \
                 `unreadable`, `generic`, `custom_paths`, `over_limit`, `authority_for_http2`, `deadline`, \
                 `heartbeat_ms`, `drain_ms`, `limits`",
            ),
            (
                r#"{"limits":5}"#,
                "configuration: `limits`: expected an object, got 5",
            ),
            (
                r#"{"mode":"rout"}"#,
                "configuration: `mode`: expected `route` or `observe`, got \"rout\"",
            ),
            (
                r#"{"mode":null}"#,
                "configuration: `mode`: expected `route` or `observe`, got null",
            ),
            (
                r#"{"deadline":"true"}"#,
                "configuration: `deadline`: expected true or false, got \"true\"",
            ),
            (
                r#"{"limits":{"calls":0}}"#,
                "configuration: `limits.calls`: expected a whole number from 1 to 4294967295, got 0",
            ),
            (
                r#"{"drain_ms":1.5}"#,
                "configuration: `drain_ms`: expected a whole number from 0 to 4294967295, got 1.5",
            ),
            (
                r#"{"attachments":"a"}"#,
                "configuration: `attachments`: expected a list of names and `prefix*`, got \"a\"",
            ),
            (
                r#"{"attachments":["x",1]}"#,
                "configuration: `attachments`: expected a list of names and `prefix*`, got 1 in it",
            ),
            (
                r#"{"attachments":["content-type"]}"#,
                "configuration: `attachments`: `content-type` is never taken from a caller nor written back",
            ),
            (
                r#"{"serializations":["hesian"]}"#,
                "configuration: `serializations`: expected names and numbers from 0 to 31, got \"hesian\" in it",
            ),
            (
                r#"{"limits":{"call_bytes":20000000}}"#,
                "configuration: `limits.connection_bytes`: one call may take 20000000 bytes, its whole connection \
                 only 16777216",
            ),
            (
                r#"{"limits":{"connection_bytes":200000000}}"#,
                "configuration: `limits.worker_bytes`: one connection may take 200000000 bytes, its whole worker \
                 only 134217728",
            ),
            (
                r#"{"attachments":["b3"]}"#,
                "configuration: `trace`: `b3` is among `attachments` too",
            ),
        ] {
            assert_eq!(
                Config::parse(text.as_bytes()).unwrap_err().to_string(),
                error,
                "{text}"
            );
        }
        let error = Config::parse(b"{").unwrap_err().to_string();
        assert!(error.starts_with("configuration: no JSON: "), "{error}");
        assert!(Config::parse(&[0xff]).is_err());
    }
}
