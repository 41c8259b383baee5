//! An application, both translators back to back, and a provider: what goes in comes out.

use std::collections::HashMap;
use std::sync::Arc;

use dubbo_codec::{Frame, FrameKind, Limits, Response};
use dubbo_proxy_filter::Close;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::to_dubbo::Http2ToDubbo;
use dubbo_proxy_filter::to_http2::DubboToHttp2;

use crate::frames::{
    Cut, Random, error_text, frame, head, one, recorded, request, response, with_id,
};

pub struct Joined {
    pub caller: DubboToHttp2,
    pub provider: Http2ToDubbo,
    random: Random,
    /// Longest piece in which bytes are moved.
    most: usize,
    to_app: Cut,
    to_provider: Cut,
}

impl Joined {
    pub fn new(config: &str, most: usize) -> Self {
        let config = Arc::new(Config::parse(config.as_bytes()).unwrap());
        Self {
            caller: DubboToHttp2::new(Arc::clone(&config), 0),
            provider: Http2ToDubbo::new(config, 0),
            random: Random(most as u64),
            most,
            to_app: Cut::default(),
            to_provider: Cut::default(),
        }
    }

    fn pieces(&mut self, bytes: &[u8], mut take: impl FnMut(&mut Self, &[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = (1 + self.random.below(self.most)).min(rest.len());
            let (piece, after) = rest.split_at(len);
            take(self, piece);
            rest = after;
        }
    }

    /// Moves HTTP/2 until both sides are silent.
    pub fn settle(&mut self) {
        loop {
            let there = std::mem::take(self.caller.to_http2());
            let back = std::mem::take(self.provider.to_http2());
            if there.is_empty() && back.is_empty() {
                return;
            }
            self.pieces(&there, |this, piece| this.provider.from_http2(piece));
            self.pieces(&back, |this, piece| this.caller.from_http2(piece));
        }
    }

    /// The application sends; returns what the provider got.
    pub fn call(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.pieces(bytes, |this, piece| this.caller.from_dubbo(piece));
        self.settle();
        self.got()
    }

    pub fn got(&mut self) -> Vec<Vec<u8>> {
        let bytes = std::mem::take(self.provider.to_dubbo());
        self.to_provider.frames(&bytes)
    }

    /// The provider sends; returns what the application got.
    pub fn answer(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.pieces(bytes, |this, piece| {
            if !this.provider.wants_dubbo() {
                this.settle();
            }
            assert!(this.provider.wants_dubbo(), "it never wants more");
            this.provider.from_dubbo(piece);
        });
        self.settle();
        self.told()
    }

    pub fn told(&mut self) -> Vec<Vec<u8>> {
        let bytes = std::mem::take(self.caller.to_dubbo());
        self.to_app.frames(&bytes)
    }

    #[track_caller]
    fn assert_idle(&self) {
        assert_eq!((self.caller.buffered(), self.provider.buffered()), (0, 0));
        assert_eq!((self.to_app.held(), self.to_provider.held()), (0, 0));
        assert_eq!(self.provider.in_flight(), 0);
        assert_eq!(
            (self.caller.closing(), self.provider.closing()),
            (None, None)
        );
        assert!(self.caller.wants_dubbo() && self.provider.wants_dubbo());
    }
}

/// Calls of a version, with the answers that their providers gave.
fn calls(version: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = recorded(version);
    let is_call = |bytes: &[u8], kind| head(bytes).kind == kind && !head(bytes).event;
    let requests = all
        .iter()
        .filter(|r| r.by_consumer && is_call(&r.bytes, FrameKind::Request));
    let answer = |id| {
        let mut answers = all
            .iter()
            .filter(|r| !r.by_consumer && is_call(&r.bytes, FrameKind::Response));
        answers
            .find(|r| head(&r.bytes).id == id)
            .map(|r| r.bytes.clone())
    };
    let calls = requests.filter(|r| head(&r.bytes).two_way);
    let numbered = calls.zip(0..).filter_map(|(r, n)| {
        let answer = answer(head(&r.bytes).id)?;
        Some((with_id(r.bytes.clone(), n), with_id(answer, n)))
    });
    numbered.collect()
}

/// What an answer means: its bytes, or status and text where it had to be told again.
fn meaning(call: &[u8], answer: &[u8]) -> (u8, Vec<u8>) {
    let (asked, said) = (head(call), head(answer));
    if said.status.is_ok() || said.serialization == asked.serialization {
        return (said.status.0, answer.to_vec());
    }
    (said.status.0, error_text(answer).into_bytes())
}

#[test]
fn recorded_calls_come_through_in_any_order_and_any_pieces() {
    let mut checked = 0;
    for version in ["2.6.12", "2.7.23", "3.1.11", "3.2.16", "3.3.6"] {
        let calls = calls(version);
        for most in [1, 7, 100, 4096, 1 << 20] {
            let mut joined = Joined::new(r#"{"custom_paths":"trust"}"#, most);
            let all: Vec<u8> = calls.iter().flat_map(|(call, _)| call.clone()).collect();
            let mut got = joined.call(&all);
            assert_eq!(got.len(), calls.len(), "{version}");
            let mut answers = vec![];
            for (at, ((call, answer), got)) in calls.iter().zip(&mut got).enumerate() {
                assert_eq!(with_id(got.clone(), at as i64), *call, "{version} {at}");
                answers.push(with_id(answer.clone(), head(got).id));
            }
            joined.random.shuffle(&mut answers);
            let told = joined.answer(&answers.concat());
            assert_eq!(told.len(), calls.len(), "{version}");
            let by_id: HashMap<i64, Vec<u8>> = told.into_iter().map(|f| (head(&f).id, f)).collect();
            for (at, (call, answer)) in calls.iter().enumerate() {
                let told = &by_id[&(at as i64)];
                if head(answer).serialization == head(call).serialization
                    || head(answer).status.is_ok()
                {
                    assert_eq!(told, answer, "{version} {at}");
                } else {
                    assert_eq!(head(told).serialization, head(call).serialization);
                    let expected = meaning(call, answer);
                    assert_eq!(
                        (head(told).status.0, error_text(told).into_bytes()),
                        expected
                    );
                }
                checked += 1;
            }
            joined.assert_idle();
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn more_calls_than_streams_and_answers_of_all_sizes() {
    for most in [977, 16_384, 1 << 20] {
        let mut joined = Joined::new(
            r#"{"limits":{"calls":1500,"connection_bytes":64000000}}"#,
            most,
        );
        let size = |id: i64| [10, 300, 5000, 70_000][((id * id + id / 3) % 4) as usize];
        let (mut open, mut told) = (vec![], vec![]);
        for id in 0..1200 {
            open.extend(joined.call(&request(id, size(id))));
            if joined.random.below(3) == 0 && !open.is_empty() {
                let got = open.swap_remove(joined.random.below(open.len()));
                told.extend(joined.echo(&got));
            }
        }
        assert!(joined.provider.in_flight() > 500);
        while !open.is_empty() {
            joined.random.shuffle(&mut open);
            for got in std::mem::take(&mut open) {
                told.extend(joined.echo(&got));
            }
            open.extend(joined.got());
        }
        assert_eq!(told.len(), 1200);
        let mut by_id: HashMap<i64, Vec<u8>> = told.into_iter().map(|f| (head(&f).id, f)).collect();
        for id in 0..1200 {
            let body = &request(id, size(id))[16..];
            assert!(
                by_id.remove(&id).unwrap() == frame(0x02, 20, id, &[b"\x91", body].concat()),
                "{id}"
            );
        }
        joined.assert_idle();
    }
}

impl Joined {
    /// The provider answers with the body that it got.
    fn echo(&mut self, got: &[u8]) -> Vec<Vec<u8>> {
        let answer = [b"\x91", &got[16..]].concat();
        self.answer(&frame(0x02, 20, head(got).id, &answer))
    }
}

#[test]
fn eight_megabytes_both_ways_beside_small_calls() {
    let mut joined = Joined::new("", 65_536);
    let big = 8 * 1024 * 1024 - 2000;
    let all = [request(1, big), request(2, 10), request(3, big)].concat();
    let got = joined.call(&all);
    assert_eq!(got.len(), 3);
    let ids: Vec<i64> = got.iter().map(|got| head(got).id).collect();
    // Small ones come whole first.
    let of = |id: i64, size: usize| {
        let expected = request(id, size);
        let at = got
            .iter()
            .position(|got| with_id(got.clone(), id) == expected)
            .unwrap();
        ids[at]
    };
    let answers = [(1, of(1, big)), (3, of(3, big)), (2, of(2, 10))];
    let bytes: Vec<u8> = answers
        .iter()
        .flat_map(|(n, id)| with_id(response(*n, big), *id))
        .collect();
    let told = joined.answer(&bytes);
    let mut told_ids: Vec<i64> = told.iter().map(|told| head(told).id).collect();
    told_ids.sort_unstable();
    assert_eq!(told_ids, [1, 2, 3]);
    for told in &told {
        let id = head(told).id;
        assert!(*told == response(id, big), "{id}");
    }
    joined.assert_idle();
}

#[test]
fn heartbeats_are_answered_on_each_side_and_one_way_calls_are_not() {
    let mut joined = Joined::new("", 5);
    for version in ["2.6.12", "3.2.16", "3.3.6"] {
        for case in ["heartbeat", "fastjson2-heartbeat"] {
            let is = |r: &crate::frames::Recorded| r.case == case && head(&r.bytes).event;
            let found: Vec<_> = recorded(version).into_iter().filter(is).collect();
            let Some(ask) = found.iter().find(|r| r.by_consumer) else {
                continue;
            };
            let answer = found.iter().find(|r| !r.by_consumer).unwrap();
            assert!(joined.call(&ask.bytes).is_empty());
            let expected = std::slice::from_ref(&answer.bytes);
            assert_eq!(joined.told(), expected, "{version}");
            assert!(joined.answer(&ask.bytes).is_empty());
            assert_eq!(joined.got(), expected, "{version}");
        }
    }
    let one_way = one("3.3.6", "oneway", true);
    let got = joined.call(&[&one_way[..], &request(9, 3)].concat());
    assert_eq!(with_id(got[0].clone(), head(&one_way).id), one_way);
    // Its answer, if a provider sent one, is late; that of the other call is not.
    let told =
        joined.answer(&[response(head(&got[0]).id, 3), response(head(&got[1]).id, 3)].concat());
    let expected = with_id(response(head(&got[1]).id, 3), 9);
    assert_eq!(told, [expected]);
    joined.assert_idle();
}

#[test]
fn callbacks_and_late_answers_do_no_harm() {
    let mut joined = Joined::new("", 9);
    let callback = with_id(one("3.3.6", "hello", true), 77);
    assert!(joined.answer(&callback).is_empty());
    let refused = joined.got();
    assert_eq!(
        (
            refused.len(),
            head(&refused[0]).id,
            head(&refused[0]).status.0
        ),
        (1, 77, 40)
    );
    assert_eq!(
        error_text(&refused[0]),
        "dubbo-mesh: callbacks cannot be routed"
    );
    for id in [0, 1, -1, i64::MAX, i64::MIN, 1 << 24] {
        assert!(joined.answer(&response(id, 5)).is_empty());
    }
    let got = joined.call(&request(5, 5));
    let answer = response(head(&got[0]).id, 5);
    assert_eq!(joined.answer(&[answer.clone(), answer].concat()).len(), 1);
    joined.assert_idle();
}

#[test]
fn a_provider_that_closes_fails_its_calls_and_readonly_drains() {
    let mut joined = Joined::new(r#"{"drain_ms":10000}"#, 1000);
    let got = joined.call(&[request(1, 5), request(2, 5)].concat());
    assert_eq!(
        joined.answer(&response(head(&got[1]).id, 5)),
        [with_id(response(head(&got[1]).id, 5), 2)]
    );
    // Java says it twice, 3.2 and later.
    let shutdown = recorded("3.3.6")
        .into_iter()
        .filter(|r| r.case == "shutdown" && head(&r.bytes).event);
    let read_only: Vec<u8> = shutdown.flat_map(|r| r.bytes).collect();
    let told = joined.answer(&read_only);
    assert_eq!(told, [frame(0xa2, 0, 0, b"\x01R")]);
    // It is still served.
    let got = joined.call(&request(3, 5));
    assert_eq!(joined.answer(&response(head(&got[0]).id, 5)).len(), 1);
    joined.caller.at(9999);
    assert_eq!(
        (joined.caller.closing(), joined.caller.next_deadline()),
        (None, Some(10_000))
    );
    joined.caller.at(10_000);
    assert_eq!(joined.caller.closing(), None, "a call is open");
    joined.provider.dubbo_closed();
    joined.settle();
    let told = joined.told();
    assert_eq!(
        (told.len(), head(&told[0]).id, head(&told[0]).status.0),
        (1, 1, 80)
    );
    assert_eq!(joined.provider.closing(), Some(&Close::Gone));
    // Not right behind an answer.
    assert_eq!(joined.caller.closing(), None);
    let pause = joined.caller.next_deadline().unwrap();
    joined.caller.at(pause);
    assert_eq!(joined.caller.closing(), Some(&Close::Drained));
}

/// Whatever the mesh does not change is not changed; a whole answer can be read.
#[test]
fn answers_are_frames_for_their_callers() {
    let mut joined = Joined::new("", 64);
    let got = joined.call(&one("3.3.6", "fail", true));
    let answer = one("3.3.6", "fail", false);
    let told = joined.answer(&with_id(answer.clone(), head(&got[0]).id));
    assert_eq!(told, [answer]);
    let frame = Frame::parse(&told[0], &Limits::default()).unwrap().unwrap();
    assert!(Response::parse(frame.head(), frame.body(), &Limits::default()).is_ok());
}
