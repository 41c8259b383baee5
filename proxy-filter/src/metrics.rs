//! What is counted, and under which names.
//!
//! This file owns the table of all metrics and what a frame adds to them; it must not know how Envoy
//! is told. Pure code yields [`Event`] values; a shell applies them where Envoy lets it.
//!
//! ```text
//! translator, observer ─Event→ shell ─increment→ Envoy: dynamicmodulescustom.dubbo.*
//! ```
//! Envoy has metrics for filters alone. What happens in the bridge and in the transport socket is
//! added up process-wide ([`add_aside`]) and told by the next filter that has something to tell.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use dubbo_codec::{FrameHead, FrameKind, Serialization, Status};

/// Something to be counted. Applying events in another order gives the same metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Envoy has these three kinds")]
pub enum Event {
    /// A counter grows.
    Count(Counter, u64),
    /// A gauge moves.
    Move(Gauge, i64),
    /// A histogram gets a value.
    Record(Histogram, u64),
}

/// An enum whose variants have names for Envoy.
macro_rules! metrics {
    ($(#[$doc:meta])* $kind:ident { $($(#[$of:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $kind { $($(#[$of])* $variant,)* }

        impl $kind {
            /// All of them; the place of each is its number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in Envoy, behind the prefix of all metrics of modules.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

metrics! {
    /// What only grows.
    Counter {
        /// Connections that began with a Dubbo frame.
        ConnectionsDubbo = "dubbo.connections.dubbo",
        /// Connections that did not, and were passed on as they are.
        ConnectionsOther = "dubbo.connections.other",
        /// Connections that were closed because their worker held too much.
        ConnectionsOverLimit = "dubbo.connections.over_limit",
        /// Connections that were closed because half a frame came, and then nothing.
        ConnectionsHalfFrame = "dubbo.connections.half_frame",
        /// Requests that want a response.
        RequestsTwoWay = "dubbo.requests.two_way",
        /// Requests that want none.
        RequestsOneWay = "dubbo.requests.one_way",
        /// Heartbeats, requests and answers.
        Heartbeats = "dubbo.requests.heartbeat",
        /// Other events: a provider that closes soon, or no longer.
        OtherEvents = "dubbo.requests.event",
        /// Requests of a provider to its caller (callbacks).
        RequestsReverse = "dubbo.requests.reverse",
        /// Requests that were answered here and went no further.
        RequestsRefused = "dubbo.requests.refused",
        /// Requests that waited for the cluster of their route.
        RequestsHeld = "dubbo.requests.held",
        /// Those of them that waited in vain.
        RequestsHeldInVain = "dubbo.requests.held_in_vain",
        /// Requests in Hessian2.
        Hessian2 = "dubbo.requests.serialization.hessian2",
        /// Requests in fastjson2.
        Fastjson2 = "dubbo.requests.serialization.fastjson2",
        /// Requests in fastjson.
        Fastjson = "dubbo.requests.serialization.fastjson",
        /// Requests in MessagePack.
        Msgpack = "dubbo.requests.serialization.msgpack",
        /// Requests in Protobuf.
        Protobuf = "dubbo.requests.serialization.protobuf",
        /// Requests in something else.
        OtherSerialization = "dubbo.requests.serialization.other",
        /// Responses with status 20, a business exception included.
        ResponsesOk = "dubbo.responses.ok",
        /// Responses with status 30 or 31.
        ResponsesTimeout = "dubbo.responses.timeout",
        /// Responses with status 40.
        ResponsesBadRequest = "dubbo.responses.bad_request",
        /// Responses with status 60.
        ResponsesNotFound = "dubbo.responses.not_found",
        /// Responses with status 70, 80 or 90.
        ResponsesError = "dubbo.responses.error",
        /// Responses with status 100.
        ResponsesOverload = "dubbo.responses.overload",
        /// Responses with status 35.
        ResponsesInactive = "dubbo.responses.inactive",
        /// Responses with status 25 or 50.
        ResponsesSerialization = "dubbo.responses.serialization",
        /// Responses with another status.
        ResponsesOther = "dubbo.responses.other",
        /// Responses to a request that nobody waits for any longer.
        ResponsesLate = "dubbo.responses.late",
        /// Exceptions of the business method.
        ExceptionsBusiness = "dubbo.exceptions.business",
        /// Calls that ended with a time-out.
        ExceptionsTimeout = "dubbo.exceptions.timeout",
        /// Calls that a busy provider, or a limit, turned away.
        ExceptionsOverload = "dubbo.exceptions.overload",
        /// Calls whose connection broke, or for which there was none.
        ExceptionsConnection = "dubbo.exceptions.connection",
        /// Calls that were forbidden or malformed.
        ExceptionsRefused = "dubbo.exceptions.refused",
        /// Calls to what is not there.
        ExceptionsNotFound = "dubbo.exceptions.not_found",
        /// Calls that failed for another reason.
        ExceptionsOther = "dubbo.exceptions.other",
        /// Requests on HTTP/2 connections whose authority was set.
        Authorities = "dubbo.http2.authorities",
        /// Responses that Envoy made itself, told as Dubbo.
        LocalReplies = "dubbo.local_replies",
        /// Streams of bytes that ceased to be Dubbo.
        ProtocolErrorsDubbo = "dubbo.protocol_errors.dubbo",
        /// Streams of bytes that ceased to be HTTP/2.
        ProtocolErrorsHttp2 = "dubbo.protocol_errors.http2",
        /// Bytes of Dubbo from the application.
        BytesIn = "dubbo.bytes.in",
        /// Bytes of Dubbo to the application.
        BytesOut = "dubbo.bytes.out",
        /// Bytes of Dubbo from providers, over transport sockets.
        ProviderBytesIn = "dubbo.provider.bytes.in",
        /// Bytes of Dubbo to providers, over transport sockets.
        ProviderBytesOut = "dubbo.provider.bytes.out",
        /// Connections to providers, over transport sockets.
        ProviderConnections = "dubbo.provider.connections",
        /// Connections that were told to go elsewhere before they were closed.
        Drains = "dubbo.drains",
        /// Panics that were caught; each closed one connection or refused one configuration.
        Panics = "dubbo.panics",
    }
}

metrics! {
    /// What rises and falls.
    Gauge {
        /// Open connections that speak Dubbo.
        Connections = "dubbo.connections.active",
        /// Requests that want a response and have none yet.
        InFlight = "dubbo.requests.active",
        /// Bytes that are held: of unfinished frames, and of what the other side does not take yet.
        Buffered = "dubbo.buffered_bytes",
    }
}

metrics! {
    /// What has a distribution.
    Histogram {
        /// From a request to its response, in milliseconds.
        CallMilliseconds = "dubbo.call_ms",
        /// Length of a request's frame.
        RequestBytes = "dubbo.request_bytes",
        /// Length of a response's frame.
        ResponseBytes = "dubbo.response_bytes",
    }
}

/// What the head of a frame that an application sent, or is sent, adds to the counters.
/// `reverse` says that it flows from a provider to its caller if it is a request.
pub fn of_frame(head: &FrameHead, reverse: bool) -> impl Iterator<Item = Event> {
    use Counter::{Heartbeats, OtherEvents, RequestsOneWay, RequestsReverse, RequestsTwoWay};
    let length = head.frame_len() as u64;
    let request = head.kind == FrameKind::Request;
    let kind = match (head.event, head.kind) {
        (true, FrameKind::Request) if !head.two_way => OtherEvents,
        (true, _) => Heartbeats,
        (false, FrameKind::Response) => of_status(head.status),
        (false, _) if reverse => RequestsReverse,
        (false, _) if head.two_way => RequestsTwoWay,
        (false, _) => RequestsOneWay,
    };
    let call = !head.event && request && !reverse;
    let size = if request {
        Histogram::RequestBytes
    } else {
        Histogram::ResponseBytes
    };
    [
        Some(Event::Count(kind, 1)),
        call.then(|| Event::Count(of_serialization(head.serialization), 1)),
        (!head.event).then_some(Event::Record(size, length)),
    ]
    .into_iter()
    .flatten()
}

/// The counter of responses with this status.
pub const fn of_status(status: Status) -> Counter {
    match status {
        Status::OK => Counter::ResponsesOk,
        Status::CLIENT_TIMEOUT | Status::SERVER_TIMEOUT => Counter::ResponsesTimeout,
        Status::BAD_REQUEST => Counter::ResponsesBadRequest,
        Status::SERVICE_NOT_FOUND => Counter::ResponsesNotFound,
        Status::SERVICE_ERROR | Status::SERVER_ERROR | Status::CLIENT_ERROR => {
            Counter::ResponsesError
        }
        Status::SERVER_THREADPOOL_EXHAUSTED => Counter::ResponsesOverload,
        Status::CHANNEL_INACTIVE => Counter::ResponsesInactive,
        Status::SERIALIZATION_ERROR | Status::BAD_RESPONSE => Counter::ResponsesSerialization,
        _ => Counter::ResponsesOther,
    }
}

/// The counter of failed calls of the class that a status other than OK stands for.
pub const fn failure_of(status: Status) -> Counter {
    match status {
        Status::CLIENT_TIMEOUT | Status::SERVER_TIMEOUT => Counter::ExceptionsTimeout,
        Status::SERVER_THREADPOOL_EXHAUSTED => Counter::ExceptionsOverload,
        Status::CHANNEL_INACTIVE => Counter::ExceptionsConnection,
        Status::BAD_REQUEST => Counter::ExceptionsRefused,
        Status::SERVICE_NOT_FOUND => Counter::ExceptionsNotFound,
        _ => Counter::ExceptionsOther,
    }
}

/// The counter of requests in this serialization.
pub const fn of_serialization(serialization: Serialization) -> Counter {
    match serialization {
        Serialization::HESSIAN2 => Counter::Hessian2,
        Serialization::FASTJSON2 => Counter::Fastjson2,
        Serialization::FASTJSON => Counter::Fastjson,
        Serialization::MSGPACK => Counter::Msgpack,
        Serialization::PROTOBUF => Counter::Protobuf,
        _ => Counter::OtherSerialization,
    }
}

const COUNTERS: usize = Counter::ALL.len();
const GAUGES: usize = Gauge::ALL.len();
static ASIDE: Aside = Aside::new();

/// Sums of what cannot be told at once: counters first, then gauges.
struct Aside {
    sums: [AtomicI64; COUNTERS + GAUGES],
    is_new: AtomicBool,
}

/// Keeps an event of a part that has no metrics of its own until [`take_aside`]. A histogram cannot
/// be kept, and is not counted.
pub fn add_aside(event: Event) {
    ASIDE.add(event);
}

/// What one part has of a gauge, told by [`add_aside`] and taken off when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    gauge: Gauge,
    told: Cell<i64>,
}

impl Share {
    pub(crate) const fn of(gauge: Gauge) -> Self {
        Self {
            gauge,
            told: Cell::new(0),
        }
    }

    /// It is so much now.
    pub(crate) fn set(&self, now: usize) {
        let now = now as i64;
        let change = now - self.told.replace(now);
        if change != 0 {
            add_aside(Event::Move(self.gauge, change));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// What was set aside since the last call; each event is taken once, by whoever comes first.
pub fn take_aside() -> impl Iterator<Item = Event> {
    ASIDE.take()
}

impl Aside {
    const fn new() -> Self {
        Self {
            sums: [const { AtomicI64::new(0) }; COUNTERS + GAUGES],
            is_new: AtomicBool::new(false),
        }
    }

    fn add(&self, event: Event) {
        let (place, change) = match event {
            Event::Count(counter, n) => (counter as usize, n as i64),
            Event::Move(gauge, change) => (COUNTERS + gauge as usize, change),
            Event::Record(..) => return,
        };
        self.sums[place].fetch_add(change, Ordering::Relaxed);
        self.is_new.store(true, Ordering::Release);
    }

    fn take(&self) -> impl Iterator<Item = Event> + '_ {
        let new = self.is_new.load(Ordering::Relaxed) && self.is_new.swap(false, Ordering::Acquire);
        let count = if new { self.sums.len() } else { 0 };
        (0..count).filter_map(|place| {
            let change = self.sums[place].swap(0, Ordering::Relaxed);
            let gauge = |place: usize| Gauge::ALL.get(place.checked_sub(COUNTERS)?);
            match (change, Counter::ALL.get(place), gauge(place)) {
                (0, _, _) => None,
                (change, Some(counter), _) => Some(Event::Count(*counter, change.max(0) as u64)),
                (change, None, Some(gauge)) => Some(Event::Move(*gauge, change)),
                (_, None, None) => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_legal_for_prometheus_once_dots_are_underscores() {
        let names: Vec<&str> = (Counter::ALL.iter().map(|metric| metric.name()))
            .chain(Gauge::ALL.iter().map(|metric| metric.name()))
            .chain(Histogram::ALL.iter().map(|metric| metric.name()))
            .collect();
        let legal = |name: &&&str| {
            let legal = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.');
            name.starts_with("dubbo.") && name.bytes().all(legal)
        };
        assert_eq!(names.iter().find(|name| !legal(name)), None);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let place = |(place, counter): (usize, &Counter)| *counter as usize == place;
        assert!(Counter::ALL.iter().enumerate().all(place));
        assert!(
            Gauge::ALL
                .iter()
                .enumerate()
                .all(|(n, gauge)| *gauge as usize == n)
        );
    }

    #[test]
    fn the_documentation_has_them_all_in_this_order() {
        let rows = (Counter::ALL.iter().map(|metric| (metric.name(), "counter")))
            .chain(Gauge::ALL.iter().map(|metric| (metric.name(), "gauge")))
            .chain(
                Histogram::ALL
                    .iter()
                    .map(|metric| (metric.name(), "histogram")),
            );
        let text = include_str!("../README.md");
        let documented = text.lines().filter(|line| line.starts_with("| `dubbo."));
        let documented: Vec<_> = (documented)
            .map(|line| line.split(" | ").take(2).collect::<Vec<_>>().join(" "))
            .collect();
        let expected: Vec<_> = rows
            .map(|(name, kind)| format!("| `{name}` {kind}"))
            .collect();
        assert_eq!(documented, expected);
    }

    /// Heads as Dubbo for Java sends them.
    #[test]
    fn a_head_is_counted_by_what_it_is() {
        let of = |flags: u8, status: u8, reverse| {
            let mut bytes = [
                0xda, 0xbb, flags, status, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 4,
            ];
            bytes[3] = status;
            let head = FrameHead::parse(&bytes).unwrap().unwrap();
            of_frame(&head, reverse).collect::<Vec<_>>()
        };
        let count = |counter| Event::Count(counter, 1);
        let request = Event::Record(Histogram::RequestBytes, 20);
        let response = Event::Record(Histogram::ResponseBytes, 20);
        for (flags, status, reverse, expected) in [
            (
                0xc2,
                0,
                false,
                vec![
                    count(Counter::RequestsTwoWay),
                    count(Counter::Hessian2),
                    request,
                ],
            ),
            (
                0x97,
                0,
                false,
                vec![
                    count(Counter::RequestsOneWay),
                    count(Counter::Fastjson2),
                    request,
                ],
            ),
            (
                0xc2,
                0,
                true,
                vec![count(Counter::RequestsReverse), request],
            ),
            (0xe2, 0, false, vec![count(Counter::Heartbeats)]),
            (0x22, 20, false, vec![count(Counter::Heartbeats)]),
            (0xa2, 0, true, vec![count(Counter::OtherEvents)]),
            (0x02, 20, false, vec![count(Counter::ResponsesOk), response]),
            (
                0x17,
                100,
                false,
                vec![count(Counter::ResponsesOverload), response],
            ),
        ] {
            assert_eq!(
                of(flags, status, reverse),
                expected,
                "{flags:x} {status} {reverse}"
            );
        }
    }

    #[test]
    fn what_is_set_aside_is_taken_once() {
        let aside = Aside::new();
        for event in [
            Event::Count(Counter::ResponsesLate, 2),
            Event::Count(Counter::ResponsesLate, 1),
            Event::Move(Gauge::Buffered, 5),
            Event::Move(Gauge::Buffered, -7),
        ] {
            aside.add(event);
        }
        let taken: Vec<_> = aside.take().collect();
        let expected = [
            Event::Count(Counter::ResponsesLate, 3),
            Event::Move(Gauge::Buffered, -2),
        ];
        assert_eq!(taken, expected);
        assert_eq!(aside.take().collect::<Vec<_>>(), []);
    }
}
