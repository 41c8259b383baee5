//! What can be said of Dubbo that passes untouched: the first step of a rollout.
//!
//! This file owns reading along in both directions of one connection. It must not know Envoy, changes
//! no byte, and forgets a frame that is too long to be looked into: its head is counted all the same.
//!
//! ```text
//! caller ──requests──▶ seen_from_caller ──▶ calls in flight by id ──▶ row of its route and outcome
//! caller ◀─responses── seen_from_provider ─┘
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use dubbo_codec::{
    FrameHead, FrameKind, Limits, Outcome, Piece, Request, Response, RpcCode, ServiceKey, Sniff,
    Splitter, Status,
};

use crate::config::Config;
use crate::metrics::{self, Counter, Event, Gauge, Histogram};

/// Longest body that is looked into, whatever the options allow. Longer ones are passed over, and their
/// calls are not in the rows.
const MAX_BODY: u32 = 256 * 1024;
/// Rows of one connection; what comes after is one row more.
const MAX_ROWS: usize = 500;
/// Longest text that is kept of what a peer sent, in bytes. What is cut off shows as `…`.
const MAX_TEXT: usize = 256;

/// Where a call would be routed, and by what. Of each text at most 256 bytes are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The host that it has on the mesh.
    pub host: String,
    /// The method that is called in the end.
    pub method: String,
    /// Fully qualified name of the interface.
    pub interface: String,
    /// Version, empty for none.
    pub version: String,
    /// Group, empty for none.
    pub group: String,
    /// The attachment `dubbo.tag`, empty for none.
    pub tag: String,
    /// Name or number of the serialization.
    pub serialization: String,
}

/// How often calls of one route ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Requests, one-way ones included.
    pub calls: u64,
    /// Responses with a value or null.
    pub ok: u64,
    /// Responses with an exception of the business method.
    pub business: u64,
    /// Responses with a time-out.
    pub timeout: u64,
    /// Any other response.
    pub failed: u64,
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            ok,
            business,
            timeout,
            failed,
        } = self;
        write!(
            f,
            "calls={calls} ok={ok} business={business} timeout={timeout} failed={failed}"
        )
    }
}

/// The last call that ended, for the log of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Where it went.
    pub route: Arc<Route>,
    /// Its status.
    pub status: u8,
    /// The class of an exception, cut as the texts of the route are; else empty.
    pub exception: String,
}

/// One connection, looked at from both sides.
#[derive(Debug)]
pub struct Observer {
    /// Longest body that is looked into.
    max_body: u32,
    /// Calls that are followed at one time.
    max_calls: usize,
    caller: Stream,
    provider: Stream,
    rows: BTreeMap<Arc<Route>, Outcomes>,
    calls: HashMap<i64, Call>,
    ended: Option<Ended>,
    events: Vec<Event>,
}

#[derive(Debug)]
struct Call {
    route: Option<Arc<Route>>,
    began: u64,
}

/// One direction.
#[derive(Debug, Default)]
enum Stream {
    /// Nothing has come.
    #[default]
    New,
    Dubbo {
        splitter: Splitter,
        head: Option<FrameHead>,
        body: Vec<u8>,
    },
    /// It is not Dubbo, or ceased to be: not looked at.
    Other,
}

impl Default for Observer {
    fn default() -> Self {
        Self::new(&Config::default())
    }
}

impl Observer {
    /// A connection of which nothing is known. Of the options its `limits` count: `call_bytes`, two of
    /// which must fit into `connection_bytes`, and `calls`.
    pub fn new(config: &Config) -> Self {
        let limits = config.limits;
        Self {
            max_body: limits
                .call_bytes
                .min(limits.connection_bytes / 2)
                .min(MAX_BODY),
            max_calls: limits.calls as usize,
            caller: Stream::default(),
            provider: Stream::default(),
            rows: BTreeMap::new(),
            calls: HashMap::new(),
            ended: None,
            events: Vec::new(),
        }
    }

    /// Bytes of the caller, at `now` in milliseconds.
    pub fn seen_from_caller(&mut self, bytes: &[u8], now: u64) {
        self.begin(bytes);
        let mut stream = std::mem::take(&mut self.caller);
        self.count_bytes(&stream, Counter::BytesIn, bytes);
        self.read(&mut stream, bytes, now, false);
        self.caller = stream;
    }

    /// Bytes of the provider.
    pub fn seen_from_provider(&mut self, bytes: &[u8], now: u64) {
        let mut stream = std::mem::take(&mut self.provider);
        self.count_bytes(&stream, Counter::BytesOut, bytes);
        self.read(&mut stream, bytes, now, true);
        self.provider = stream;
    }

    /// What is to be counted since the last call. Gauges are moved while the connection lives; who
    /// ends it takes off what it has added.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }

    /// The call that ended last, once.
    pub fn ended(&mut self) -> Option<Ended> {
        self.ended.take()
    }

    /// The rows, and an empty table from here on.
    pub fn report(&mut self) -> BTreeMap<Arc<Route>, Outcomes> {
        std::mem::take(&mut self.rows)
    }

    /// All kinds of connections come by; only what is read as Dubbo is counted.
    fn count_bytes(&mut self, stream: &Stream, counter: Counter, bytes: &[u8]) {
        if matches!(stream, Stream::Dubbo { .. }) {
            self.events.push(Event::Count(counter, bytes.len() as u64));
        }
    }

    /// The caller's first bytes say what the connection is. Two are enough, and one may be all.
    fn begin(&mut self, bytes: &[u8]) {
        if !matches!(self.caller, Stream::New) {
            return;
        }
        let dubbo = matches!(Sniff::of(bytes), Sniff::Dubbo) || bytes == [0xda];
        let stream = || match dubbo {
            true => Stream::Dubbo {
                splitter: Splitter::new(any_length()),
                head: None,
                body: Vec::new(),
            },
            false => Stream::Other,
        };
        (self.caller, self.provider) = (stream(), stream());
        if dubbo {
            self.events.push(Event::Count(Counter::ConnectionsDubbo, 1));
            self.events.push(Event::Move(Gauge::Connections, 1));
        } else {
            self.events.push(Event::Count(Counter::ConnectionsOther, 1));
        }
    }

    fn read(&mut self, stream: &mut Stream, mut bytes: &[u8], now: u64, reverse: bool) {
        let Stream::Dubbo {
            splitter,
            head,
            body,
        } = stream
        else {
            return;
        };
        loop {
            match splitter.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Piece::Head(next))) => {
                    self.events.extend(metrics::of_frame(&next, reverse));
                    body.clear();
                    *head = (!next.event).then_some(next);
                    if next.body_len == 0 {
                        self.frame(head.take(), &[], now, reverse);
                    }
                }
                Ok(Some(Piece::Body { bytes, last })) => {
                    let looked_into = head.is_some_and(|head| head.body_len <= self.max_body);
                    match (looked_into, last, body.is_empty()) {
                        (true, true, true) => self.frame(head.take(), bytes, now, reverse),
                        (true, _, _) => body.extend_from_slice(bytes),
                        (false, _, _) => {}
                    }
                    if last {
                        self.frame(head.take(), body, now, reverse);
                    }
                }
                Err(_) => break,
            }
        }
        self.events
            .push(Event::Count(Counter::ProtocolErrorsDubbo, 1));
        if !reverse {
            self.events.push(Event::Move(Gauge::Connections, -1));
        }
        *stream = Stream::Other;
    }

    /// A frame has ended. `body` is empty if it was not looked into.
    fn frame(&mut self, head: Option<FrameHead>, body: &[u8], now: u64, reverse: bool) {
        match head {
            Some(head) if head.kind == FrameKind::Request && !reverse => {
                self.request(&head, body, now);
            }
            Some(head) if head.kind == FrameKind::Response && reverse => {
                self.response(&head, body, now);
            }
            _ => {}
        }
    }

    fn request(&mut self, head: &FrameHead, body: &[u8], now: u64) {
        let route = route_of(head, body).map(|route| self.shared(route));
        if let Some(route) = &route {
            self.row(route).calls += 1;
        }
        if head.two_way && self.calls.len() < self.max_calls {
            let call = Call { route, began: now };
            if self.calls.insert(head.id, call).is_none() {
                self.events.push(Event::Move(Gauge::InFlight, 1));
            }
        }
    }

    fn response(&mut self, head: &FrameHead, body: &[u8], now: u64) {
        let Some(call) = self.calls.remove(&head.id) else {
            self.events.push(Event::Count(Counter::ResponsesLate, 1));
            return;
        };
        self.events.push(Event::Move(Gauge::InFlight, -1));
        let took = now.saturating_sub(call.began);
        self.events
            .push(Event::Record(Histogram::CallMilliseconds, took));
        let response = Response::parse(head, body, &Limits::default()).ok();
        let exception = match response.as_ref().map(Response::outcome) {
            Some(Outcome::Exception(exception)) => Some(exception),
            _ => None,
        };
        let failure = match exception {
            Some(exception) => Some(failure_of_exception(exception.rpc_code())),
            None if head.status == Status::OK => None,
            None => Some(metrics::failure_of(head.status)),
        };
        self.events
            .extend(failure.map(|counter| Event::Count(counter, 1)));
        let Some(route) = call.route else { return };
        let row = self.row(&route);
        match failure {
            None => row.ok += 1,
            Some(Counter::ExceptionsBusiness) => row.business += 1,
            Some(Counter::ExceptionsTimeout) => row.timeout += 1,
            Some(_) => row.failed += 1,
        }
        let class = exception.and_then(|exception| exception.class);
        self.ended = Some(Ended {
            route,
            status: head.status.0,
            exception: class.map_or_else(String::new, |class| cut(&class.to_str_lossy())),
        });
    }

    /// The route as its row has it, so that all calls of a row hold one.
    fn shared(&self, route: Route) -> Arc<Route> {
        let row = self.rows.get_key_value(&route);
        row.map_or_else(|| Arc::new(route), |(route, _)| Arc::clone(route))
    }

    fn row(&mut self, route: &Arc<Route>) -> &mut Outcomes {
        let others = self.rows.len() >= MAX_ROWS && !self.rows.contains_key(route);
        let key = match others {
            true => Arc::default(),
            false => Arc::clone(route),
        };
        self.rows.entry(key).or_default()
    }
}

/// The class of a call that ended with an exception. Dubbo's own exceptions have a code and are of its
/// framework; all others are of the business method.
pub(crate) const fn failure_of_exception(code: Option<RpcCode>) -> Counter {
    match code {
        None | Some(RpcCode::BUSINESS) => Counter::ExceptionsBusiness,
        Some(RpcCode::TIMEOUT | RpcCode::TIMEOUT_TERMINATE) => Counter::ExceptionsTimeout,
        Some(RpcCode::LIMIT_EXCEEDED) => Counter::ExceptionsOverload,
        Some(RpcCode::NETWORK) => Counter::ExceptionsConnection,
        Some(RpcCode::FORBIDDEN | RpcCode::AUTHORIZATION | RpcCode::VALIDATION) => {
            Counter::ExceptionsRefused
        }
        Some(RpcCode::NO_INVOKER | RpcCode::METHOD_NOT_FOUND) => Counter::ExceptionsNotFound,
        Some(_) => Counter::ExceptionsOther,
    }
}

/// Where a request would be routed; `None` if it cannot be read, or would be refused.
fn route_of(head: &FrameHead, body: &[u8]) -> Option<Route> {
    let request = Request::parse(head, body, &Limits::default()).ok()?;
    let target = request.target();
    if target.unresolved {
        return None;
    }
    let service: ServiceKey = target.service_key().ok()?;
    let tag = request.attachments().text("dubbo.tag");
    Some(Route {
        host: cut(&service.host()),
        method: cut(&request.peek().effective_method().to_str_lossy()),
        interface: cut(service.interface()),
        version: cut(service.version()),
        group: cut(service.group()),
        tag: tag.map_or_else(String::new, |tag| cut(&tag.to_str_lossy())),
        serialization: head.serialization.to_string(),
    })
}

/// A text, or its beginning.
fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let ends = |at: &usize| text.is_char_boundary(*at);
    let end = (0..=MAX_TEXT).rev().find(ends).unwrap_or_default();
    format!("{}…", &text[..end])
}

/// A row as a line of a log: control characters of what a peer sent are escaped.
pub fn line(route: &Route, outcomes: &Outcomes) -> String {
    if *route == Route::default() {
        return format!("dubbo observed: others {outcomes}");
    }
    let mut line = String::from("dubbo observed:");
    for (name, value) in [
        ("host", &route.host),
        ("interface", &route.interface),
        ("method", &route.method),
        ("version", &route.version),
        ("group", &route.group),
        ("tag", &route.tag),
        ("serialization", &route.serialization),
    ] {
        let value = if value.is_empty() { "-" } else { value };
        // Writing to a string cannot fail.
        let _ = write!(line, " {name}={}", value.escape_default());
    }
    let _ = write!(line, " {outcomes}");
    line
}

fn any_length() -> Limits {
    let mut limits = Limits::default();
    limits.max_body = i32::MAX as u32;
    limits
}
