//! The table of all options: name, default, meaning, and how a value is taken. README.md shows it.

use serde_json::Value;

use super::value::{self, Problem};
use super::{Config, CustomPaths, Generic, Mode, OverLimit, ReadonlyEvent, Unreadable};

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
    pub(super) set: fn(&mut Config, &Value) -> Result<(), Problem>,
}

/// All options. The documentation's table is this one.
pub const SETTINGS: [Setting; 22] = [
    Setting {
        name: "mode",
        default: r#""route""#,
        meaning: "`route`: calls become HTTP/2 requests; `observe`: bytes pass untouched and are counted, by `dubbo_to_http2` as by `dubbo_observe`; refused at a provider's end",
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
        default: r#""show""#,
        meaning: "calls whose `path` is not, and does not end in `/` and, their interface: `show` that path in `:path`, `refuse` them, or `trust` the interface that the caller names",
        set: |c, v| {
            let words = [
                ("show", CustomPaths::Show),
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
        meaning: "set `:authority` on HTTP/2 connections (Triple, gRPC) too; see below",
        set: |c, v| value::flag(&mut c.authority_for_http2, v),
    },
    Setting {
        name: "deadline",
        default: "true",
        meaning: "reset a call once its caller no longer waits for it; callers before Dubbo 2.7 do not say how long they do",
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
        default: "4000",
        meaning: "time between the readonly event and the close of a connection; below the 5 s of `drain_timeout` of Envoy's HTTP connection manager, which then cuts it",
        set: |c, v| value::number(&mut c.drain_ms, v, 0..=u32::MAX),
    },
    Setting {
        name: "readonly_event",
        default: "true",
        meaning: "that event, where Envoy drains: to all at once, as of a provider that goes; `false`: not at all, and connections are closed one after another within `drain_ms`, as a caller's sidecar has it by default; `\"in_turn\"`: one after another, each with the event a second before its end",
        set: |c, v| {
            let flags = [ReadonlyEvent::Never, ReadonlyEvent::AtOnce];
            value::flag_or(
                &mut c.readonly_event,
                v,
                flags,
                ("in_turn", ReadonlyEvent::InTurn),
            )
        },
    },
    Setting {
        name: "half_frame_ms",
        default: "60000",
        meaning: "silence in the middle of a frame after which its connection is closed; 0: never; the bridge has no clock, its calls have their routes' time-outs",
        set: |c, v| value::number(&mut c.half_frame_ms, v, 0..=u32::MAX),
    },
    Setting {
        name: "hold_ms",
        default: "1000",
        meaning: "time that a call waits, by `dubbo_hold`, for a cluster that its route names and Envoy does not have, yet or any longer; 0: none",
        set: |c, v| value::number(&mut c.hold_ms, v, 0..=60_000),
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
        meaning: "bytes of a call's body that are gathered to read it; `dubbo_observe` looks into bodies of at most 256 KiB",
        set: |c, v| value::number(&mut c.limits.call_bytes, v, 1..=i32::MAX as u32),
    },
    Setting {
        name: "limits.connection_bytes",
        default: "16777216",
        meaning: "bytes of calls that wait for Envoy to take them, and as many of long answers; see below for what a connection holds besides",
        set: |c, v| value::number(&mut c.limits.connection_bytes, v, 1..=u32::MAX),
    },
    Setting {
        name: "limits.worker_bytes",
        default: "134217728",
        meaning: "bytes held for all connections of one worker by `dubbo_to_http2`; above it the connection that holds most is closed; at a provider's end, bytes that all calls of one worker's bridges hold: one that wants more ends with 429",
        set: |c, v| value::number(&mut c.limits.worker_bytes, v, 1..=u32::MAX),
    },
    Setting {
        name: "limits.calls",
        default: "1024",
        meaning: "calls in flight on one connection; one more is refused with Dubbo status 100; `dubbo_observe` refuses none, but follows no more",
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
