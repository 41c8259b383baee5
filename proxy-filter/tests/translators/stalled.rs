//! Bodies that begin and stop: they stop nobody else, and what they hold is bounded.

use std::sync::Arc;

use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::hpack::HeaderList;
use dubbo_proxy_filter::http2::{Connection, Event, Limits, Role, StreamKey};
use dubbo_proxy_filter::request::{self, Seen};
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use dubbo_proxy_filter::to_http2::DubboToHttp2;

use crate::frames::{Cut, error_text, head, request, response, with_id};

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const WINDOW: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0x60, 0, 0, 0];
const MIB: usize = 1 << 20;
/// The longest text whose answer, or call, is no longer than 8 MiB.
const LONGEST: usize = 8 * MIB - 2000;
/// The first windows of ten streams, a frame that is gathered, and `limits.connection_bytes`.
const MOST: usize = 10 * 64 * 1024 + 8 * MIB + 16 * MIB;

/// The caller's half between an application and the server of an HTTP/2 connection.
struct Caller {
    half: DubboToHttp2,
    envoy: Connection,
    open: Vec<StreamKey>,
    cut: Cut,
    told: Vec<Vec<u8>>,
}

impl Caller {
    /// With so many calls under way, with the ids from 0 on.
    fn new(options: &str, calls: i64) -> Self {
        let config = Arc::new(Config::parse(options.as_bytes()).unwrap());
        let mut caller = Self {
            half: DubboToHttp2::new(config, 0),
            envoy: Connection::new(Role::Server, Limits::default()),
            open: vec![],
            cut: Cut::default(),
            told: vec![],
        };
        caller.half.from_http2(&[SETTINGS, WINDOW].concat());
        for id in 0..calls {
            caller.half.from_dubbo(&request(id, 10));
        }
        caller.settle();
        assert_eq!(caller.open.len() as i64, calls);
        caller
    }

    /// Moves bytes until both sides are silent.
    fn settle(&mut self) {
        loop {
            let there = std::mem::take(self.half.to_http2());
            let mut bytes = &there[..];
            while let Some(event) = self.envoy.next(&mut bytes).unwrap() {
                if let Event::Head { stream, .. } = event {
                    self.open.push(stream);
                }
            }
            let back = std::mem::take(self.envoy.out());
            self.half.from_http2(&back);
            assert!(self.half.buffered() <= MOST, "{}", self.half.buffered());
            let told = std::mem::take(self.half.to_dubbo());
            self.told.extend(self.cut.frames(&told));
            if there.is_empty() && back.is_empty() {
                return;
            }
        }
    }

    fn begin(&mut self, call: usize) {
        let mut head = HeaderList::new();
        head.push(b":status", b"200");
        head.push(b"content-type", b"application/x-dubbo2");
        head.push(b"dubbo-status", b"20");
        self.envoy.send_head(self.open[call], &head, false);
    }

    /// Sends these bytes of the answer to a call.
    fn send(&mut self, call: usize, bytes: &[u8], end: bool) {
        self.envoy.send_data(self.open[call], bytes, end);
        self.settle();
    }

    /// The answer to a call comes at once, and the application gets it.
    #[track_caller]
    fn assert_comes(&mut self, call: usize, len: usize) {
        let answer = response(call as i64, len);
        self.begin(call);
        self.send(call, &answer, true);
        let told = std::mem::take(&mut self.told);
        assert!(told == [answer], "{call}: {} frames", told.len());
    }
}

#[test]
fn answers_that_stop_at_their_beginning_stop_no_other() {
    for beginning in [17, 65_000, 3 * MIB] {
        let mut caller = Caller::new("", 4);
        for call in [0, 1] {
            caller.begin(call);
            caller.send(call, &response(0, LONGEST)[..beginning], false);
        }
        caller.assert_comes(2, 200_000);
        caller.assert_comes(3, LONGEST);
        // They hold what they sent, and nobody has to give them up.
        assert_eq!(caller.half.buffered(), 2 * beginning);
        assert_eq!(caller.half.next_deadline(), None);
        caller.half.at(3_600_000);
        caller.settle();
        assert_eq!(caller.told, Vec::<Vec<u8>>::new());
    }
}

#[test]
fn answers_that_stop_near_their_end_are_given_up_once_others_need_their_room() {
    let mut caller = Caller::new("", 4);
    caller.half.clock(1000);
    for (call, short) in [(0, 500), (1, 1000)] {
        caller.begin(call);
        let answer = response(0, LONGEST);
        caller.send(call, &answer[..answer.len() - short], false);
    }
    assert_eq!(caller.half.next_deadline(), None);
    let answer = response(2, LONGEST);
    caller.begin(2);
    caller.send(2, &answer, true);
    assert_eq!(caller.half.next_deadline(), Some(6000));
    caller.half.at(5999);
    caller.settle();
    assert!(caller.told.is_empty());
    caller.half.at(6000);
    caller.settle();
    let told = std::mem::take(&mut caller.told);
    assert_eq!(told.len(), 2);
    assert_eq!(head(&told[0]).status.0, 31);
    assert_eq!(
        error_text(&told[0]),
        "dubbo-mesh: the rest of the answer did not come, and others need its room"
    );
    assert!(told[1] == answer);
    // The other one goes on, and ends.
    let other = 1 - head(&told[0]).id as usize;
    let answer = response(0, LONGEST);
    let rest = [500, 1000][other];
    caller.send(other, &answer[answer.len() - rest..], true);
    assert!(caller.told == [with_id(answer, other as i64)]);
    assert_eq!(caller.half.buffered(), 0);
}

/// More long answers at once than there is room for, a piece of each after the other.
#[test]
fn all_that_go_on_end() {
    let options =
        r#"{"limits":{"frame_bytes":1000000,"call_bytes":1000000,"connection_bytes":1500000}}"#;
    let mut caller = Caller::new(options, 30);
    let answers: Vec<Vec<u8>> = (0..30_i64)
        .map(|id| response(id, 900_000 - 20_000 * id as usize))
        .collect();
    (0..30).for_each(|call| caller.begin(call));
    for (call, answer) in answers.iter().enumerate() {
        caller.send(call, &answer[..40_000], false);
    }
    for (call, answer) in answers.iter().enumerate() {
        caller.send(call, &answer[40_000..], true);
        assert!(caller.half.buffered() <= 30 * 64 * 1024 + 1_500_000);
    }
    caller.told.sort_by_key(|told| head(told).id);
    assert!(caller.told == answers, "{} answers", caller.told.len());
    assert_eq!(caller.half.buffered(), 0);
}

/// The provider's half between the client of an HTTP/2 connection and a provider.
struct Provider {
    half: Http2ToDubbo,
    envoy: Connection,
    head: HeaderList,
    cut: Cut,
    got: Vec<Vec<u8>>,
    /// Streams that were answered, and their statuses.
    answered: Vec<(StreamKey, Vec<u8>)>,
}

impl Provider {
    fn new() -> Self {
        let config = Arc::new(Config::default());
        let mut list = HeaderList::new();
        let call = request(0, 10);
        let limits = dubbo_codec::Limits::default();
        let frame = dubbo_codec::Frame::parse(&call, &limits).unwrap().unwrap();
        request::to_headers(&frame, &config, &mut Seen::default(), &mut list).unwrap();
        let mut provider = Self {
            half: Http2ToDubbo::new(config, 0),
            envoy: Connection::new(Role::Client, Limits::default()),
            head: list,
            cut: Cut::default(),
            got: vec![],
            answered: vec![],
        };
        provider.settle();
        provider
    }

    fn settle(&mut self) {
        loop {
            let there = std::mem::take(self.envoy.out());
            self.half.from_http2(&there);
            assert!(self.half.buffered() <= MOST, "{}", self.half.buffered());
            let got = std::mem::take(self.half.to_dubbo());
            self.got.extend(self.cut.frames(&got));
            let back = std::mem::take(self.half.to_http2());
            let mut bytes = &back[..];
            while let Some(event) = self.envoy.next(&mut bytes).unwrap() {
                if let Event::Head { stream, .. } = event {
                    let status = self.envoy.headers().get(b":status").unwrap();
                    self.answered.push((stream, status.to_vec()));
                }
            }
            if there.is_empty() && back.is_empty() {
                return;
            }
        }
    }

    fn call(&mut self, bytes: &[u8], end: bool) -> StreamKey {
        let stream = self.envoy.open(&self.head, false).unwrap();
        self.envoy.send_data(stream, bytes, end);
        self.settle();
        stream
    }

    /// A call comes at once, and the provider gets it.
    #[track_caller]
    fn assert_comes(&mut self, len: usize) {
        let call = request(7, len);
        self.call(&call, true);
        let got = std::mem::take(&mut self.got);
        let got: Vec<_> = got.into_iter().map(|got| with_id(got, 7)).collect();
        assert!(got == [call], "{} frames", got.len());
    }
}

#[test]
fn calls_that_stop_at_their_beginning_stop_no_other() {
    for beginning in [17, 65_000, 3 * MIB] {
        let mut provider = Provider::new();
        let streams = [(); 2].map(|()| provider.call(&[], false));
        let heads = provider.half.buffered();
        for stream in streams {
            let bytes = &request(0, LONGEST)[..beginning];
            provider.envoy.send_data(stream, bytes, false);
            provider.settle();
        }
        provider.assert_comes(200_000);
        provider.assert_comes(LONGEST);
        assert_eq!(provider.half.buffered(), heads + 2 * beginning);
        assert_eq!(provider.answered, []);
    }
}

#[test]
fn calls_that_stop_near_their_end_are_given_up_once_others_need_their_room() {
    let mut provider = Provider::new();
    let long = request(7, LONGEST);
    let first = provider.call(&long[..long.len() - 10], false);
    let second = provider.call(&long[..long.len() - 20], false);
    provider.half.at(4000);
    let third = provider.call(&long, true);
    assert_eq!(provider.half.next_deadline(), Some(5000));
    provider.half.at(4999);
    provider.settle();
    assert_eq!((provider.got.len(), provider.answered.len()), (0, 0));
    provider.half.at(5000);
    provider.settle();
    assert_eq!(provider.got.len(), 1);
    assert!(with_id(provider.got.remove(0), 7) == long);
    let [(stream, status)] = &provider.answered[..] else {
        panic!("{:?}", provider.answered)
    };
    assert!([first, second].contains(stream) && *stream != third);
    assert_eq!(status, b"408");
}
