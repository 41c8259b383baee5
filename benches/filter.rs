//! What the filter's translators cost, a call and direction, beside their bounds.
//!
//! ```text
//! app ─frames─> caller's half ─> stand-in for Envoy ─> caller's half ─frames─> app          two rows
//! Envoy's stand-in ─> provider's half ─frames─> provider ─frames─> provider's half ─> stand-in  two more
//! ```
//! `cargo bench -p dubbo-mesh-benches --bench filter` prints a table and ends with 1 if a bound is missed.
//! Only the translators are timed and counted; the stand-in is the other end of an HTTP/2 connection of
//! ours. Each batch asserts that every call came through.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dubbo_codec::{FrameHead, Limits as FrameLimits, set_request_id};
use dubbo_mesh_benches::{load, machine};
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Connection, Event, Limits, Role};
use dubbo_proxy_filter::request::{self, Seen};
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use dubbo_proxy_filter::to_http2::DubboToHttp2;

/// Calls that one read brings. A batch is so short that others on the machine are in few of them.
const BATCH: usize = 32;
/// Batches, of which the median counts, and then as many in which allocations are counted.
const BATCHES: usize = 10_001;
/// Nanoseconds that a call of 100 bytes may take, in each direction of each half.
const MOST: f64 = 1000.0;
const SETTINGS: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0, 0, 0];
const WINDOW: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x60, 0, 0, 0];

/// A frame of `hello` with an argument of this many bytes, as Dubbo 3 sends it.
fn frame(flags: u8, status: u8, begin: &[u8], argument: usize, end: &[u8]) -> Vec<u8> {
    let mut body = begin.to_vec();
    body.extend([b'S', (argument >> 8) as u8, argument as u8]);
    body.resize(body.len() + argument, b'x');
    body.extend(end);
    let mut frame = vec![0xda, 0xbb, flags, status, 0, 0, 0, 0, 0, 0, 0, 0];
    frame.extend((body.len() as u32).to_be_bytes());
    frame.extend(body);
    frame
}

fn call(argument: usize) -> Vec<u8> {
    let begin = b"\x052.0.2\x12demo.GreetServicex\x050.0.0\x05hello\x12Ljava/lang/String;";
    let end = b"H\x04path\x12demo.GreetServicex\x12remote.application\x0egreet-consumer\
        \x09interface\x12demo.GreetServicex\x07version\x050.0.0\x07timeout\x045000Z";
    frame(0xc2, 0, begin, argument, end)
}

fn answer(argument: usize) -> Vec<u8> {
    frame(0x02, 20, b"\x94", argument, b"H\x05dubbo\x052.0.2Z")
}

/// What the translator's part of each batch costs: there, and back.
#[derive(Debug, Default)]
struct Cost {
    is_counted: bool,
    times: [Vec<Duration>; 2],
    allocations: [u64; 2],
}

impl Cost {
    fn of(&mut self, direction: usize, work: impl FnOnce()) {
        if self.is_counted {
            self.allocations[direction] += allocation_counter::measure(work).count_total;
            return;
        }
        let start = Instant::now();
        work();
        self.times[direction].push(start.elapsed());
    }
}

/// One direction of one half.
struct Row {
    what: String,
    nanoseconds: f64,
    allocations: u64,
    bound: Option<f64>,
}

impl Row {
    fn is_met(&self) -> bool {
        self.allocations == 0 && self.bound.is_none_or(|bound| self.nanoseconds <= bound)
    }

    fn print(&self) {
        let bound = self.bound.map_or_else(String::new, |b| format!("{b:.0}"));
        let met = if self.is_met() { "yes" } else { "NO" };
        let (what, nanoseconds, allocations) = (&self.what, self.nanoseconds, self.allocations);
        println!("| {what:<42} | {nanoseconds:>7.0} | {bound:>5} | {allocations:>11} | {met:<3} |");
    }
}

/// The rows of a half: `batch` carries [`BATCH`] calls through it and back.
fn rows(half: &str, argument: usize, mut batch: impl FnMut(&mut Cost)) -> [Row; 2] {
    let mut batches = |is_counted: bool| {
        let mut cost = Cost {
            is_counted,
            ..Cost::default()
        };
        (0..BATCHES).for_each(|_| batch(&mut cost));
        cost
    };
    // Buffers and tables grow first.
    batches(false);
    let (timed, counted) = (batches(false), batches(true));
    [0, 1].map(|direction| {
        let mut times = timed.times[direction].clone();
        times.sort_unstable();
        let median = times[BATCHES / 2].as_nanos() as f64;
        let way = ["the call", "the answer"][direction];
        Row {
            what: format!("{half}'s half, {way}, {argument} bytes"),
            nanoseconds: median / BATCH as f64,
            allocations: counted.allocations[direction],
            bound: (argument <= 100).then_some(MOST),
        }
    })
}

fn ids(frames: &mut [u8], from: &mut i64) {
    for part in frames.chunks_mut(frames.len() / BATCH) {
        *from += 1;
        set_request_id(part, *from);
    }
}

/// The caller's half, with a server that answers.
fn caller(argument: usize) -> [Row; 2] {
    let config = Arc::new(Config::default());
    let (mut half, mut envoy) = (
        DubboToHttp2::new(config, 0),
        Connection::new(Role::Server, Limits::default()),
    );
    half.from_http2(&[SETTINGS, WINDOW].concat());
    let mut head = HeaderList::new();
    head.push(b":status", b"200");
    head.push(b"content-type", b"application/x-dubbo2");
    head.push(b"dubbo-status", b"20");
    let (mut frames, answer, mut id) = (call(argument).repeat(BATCH), answer(argument), 0);
    rows("caller", argument, |cost| {
        ids(&mut frames, &mut id);
        cost.of(0, || {
            half.from_dubbo(&frames);
            half.events().for_each(drop);
        });
        let mut bytes = &half.to_http2()[..];
        while let Ok(Some(event)) = envoy.next(&mut bytes) {
            if let Event::Data {
                stream, end: true, ..
            } = event
            {
                envoy.send_head(stream, &head, false);
                envoy.send_data(stream, &answer, true);
            }
        }
        half.to_http2().clear();
        cost.of(1, || {
            half.from_http2(envoy.out());
            half.events().for_each(drop);
        });
        envoy.out().clear();
        assert_eq!(half.to_dubbo().len(), answer.len() * BATCH);
        half.to_dubbo().clear();
    })
}

/// The provider's half, and a client that was greeted.
fn greeted(config: &Arc<Config>) -> (Http2ToDubbo, Connection) {
    let mut half = Http2ToDubbo::new(Arc::clone(config), 0);
    let mut envoy = Connection::new(Role::Client, Limits::default());
    half.from_http2(envoy.out());
    envoy.out().clear();
    half.from_http2(&[SETTINGS, WINDOW].concat());
    while let Ok(Some(_)) = envoy.next(&mut &half.to_http2()[..]) {}
    let _ = envoy.next(&mut &[SETTINGS, WINDOW].concat()[..]);
    half.to_http2().clear();
    (half, envoy)
}

/// The provider's half, with a client that asks.
fn provider(argument: usize) -> [Row; 2] {
    let config = Arc::new(Config::default());
    let (mut half, mut envoy) = greeted(&config);
    let call = call(argument);
    let head = mapped(&call, &config);
    let (mut answers, len) = (answer(argument).repeat(BATCH), answer(argument).len());
    rows("provider", argument, |cost| {
        for _ in 0..BATCH {
            let Some(stream) = envoy.open(&head, false) else {
                panic!("no stream")
            };
            envoy.send_data(stream, &call, true);
        }
        cost.of(0, || {
            half.from_http2(envoy.out());
            half.events().for_each(drop);
        });
        envoy.out().clear();
        assert_eq!(half.to_dubbo().len(), call.len() * BATCH);
        let sent = half.to_dubbo().chunks(call.len());
        for (sent, answer) in sent.zip(answers.chunks_mut(len)) {
            let id = FrameHead::parse(sent).ok().flatten().map(|head| head.id);
            set_request_id(answer, id.unwrap_or_default());
        }
        half.to_dubbo().clear();
        cost.of(1, || {
            half.from_dubbo(&answers);
            half.events().for_each(drop);
        });
        let (mut bytes, mut ended) = (&half.to_http2()[..], 0);
        while let Ok(Some(event)) = envoy.next(&mut bytes) {
            ended += usize::from(matches!(event, Event::Data { end: true, .. }));
        }
        assert_eq!(ended, BATCH);
        half.to_http2().clear();
    })
}

/// The headers that the filter gives a call.
fn mapped(call: &[u8], config: &Config) -> HeaderList {
    let mut head = HeaderList::new();
    let frame = dubbo_codec::Frame::parse(call, &FrameLimits::default());
    let mapped = frame
        .ok()
        .flatten()
        .map(|frame| request::to_headers(&frame, config, &mut Seen::default(), &mut head).is_ok());
    assert_eq!(mapped, Some(true));
    head
}

fn main() -> ExitCode {
    println!("machine  {}\nload     {}\n", machine(), load());
    println!(
        "| {:<42} | {:>7} | bound | allocations | met |",
        "a call", "ns"
    );
    println!("|-{0:-<42}-|-{0:-<7}-|-------|-------------|-----|", "");
    let mut all_met = true;
    for argument in [100, 16_000] {
        for row in caller(argument).into_iter().chain(provider(argument)) {
            row.print();
            all_met &= row.is_met();
        }
    }
    match all_met {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
