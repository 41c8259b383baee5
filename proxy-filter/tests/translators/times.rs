//! `DubboToHttp2` when time goes by: deadlines of calls, with a stream and without, and half frames.

use std::sync::Arc;

use dubbo_proxy_filter::Close;
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::metrics::{Counter, Event};
use dubbo_proxy_filter::to_http2::DubboToHttp2;

use crate::caller::{REGION, connect, echo, region};
use crate::frames::{Cut, error_text, head, one, request, with_id};

#[tokio::test]
async fn calls_end_when_their_callers_no_longer_wait() {
    let mut half = connect(REGION, h2::server::Builder::new());
    half.translator.at(1000);
    // The recorded frame says `timeout=5000`; nothing answers it as its stream is never taken.
    let call = with_id(one("3.3.6", "hello", true), 7);
    half.translator.from_dubbo(&call);
    assert_eq!(half.translator.next_deadline(), Some(6000));
    half.translator.at(5999);
    assert!(half.translator.to_dubbo().is_empty());
    half.translator.at(6000);
    let told = std::mem::take(half.translator.to_dubbo());
    assert_eq!((head(&told).id, head(&told).status.0), (7, 31));
    assert_eq!(half.translator.next_deadline(), None);
    // Its id is free again, and the connection goes on.
    half.translator.from_dubbo(&request(7, 4));
    assert_eq!(half.told(1).await, [echo(7, &request(7, 4))]);
}

/// Nothing but time goes by: the one stream that Envoy takes is never answered.
#[test]
fn calls_that_wait_for_a_stream_end_in_time_too() {
    const ONE_STREAM: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1];
    let mut half = DubboToHttp2::new(Arc::new(Config::default()), 0);
    half.from_http2(ONE_STREAM);
    half.from_dubbo(&request(1, 5));
    half.to_http2().clear();
    // The recorded frame says `timeout=5000`; the other two are never given up.
    let call = one("3.3.6", "hello", true);
    let one_way = one("3.3.6", "oneway", true);
    for (now, frame) in [
        (1000, with_id(call.clone(), 2)),
        (1000, request(3, 5)),
        (2000, with_id(call.clone(), 4)),
        (2000, with_id(one_way.clone(), 5)),
        (3000, with_id(call.clone(), 6)),
    ] {
        half.at(now);
        half.from_dubbo(&frame);
    }
    let left = half.buffered() - 3 * call.len();
    let mut told = |now: u64| {
        half.at(now);
        let told = Cut::default().frames(&std::mem::take(half.to_dubbo()));
        let told: Vec<_> = told
            .iter()
            .map(|told| (head(told).id, head(told).status.0, error_text(told)))
            .collect();
        assert!(half.to_http2().is_empty());
        (told, half.next_deadline())
    };
    let up = |id| {
        let text = "dubbo-mesh: the caller's time was up before the call was sent";
        (id, 31, text.to_owned())
    };
    assert_eq!(told(5999), (vec![], Some(6000)));
    assert_eq!(told(6000), (vec![up(2)], Some(7000)));
    assert_eq!(told(8000), (vec![up(4), up(6)], None));
    assert_eq!(half.buffered(), left);
    // Their ids are free again, and what is left is sent in its order.
    half.from_dubbo(&with_id(call.clone(), 2));
    half.from_http2(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 9]);
    let sent = std::mem::take(half.to_http2());
    let at = |frame: &[u8]| sent.windows(frame.len()).position(|part| part == frame);
    let places = [request(3, 5), with_id(one_way, 5), with_id(call, 2)].map(|frame| at(&frame));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
    assert_eq!((half.buffered(), half.next_deadline()), (0, Some(13_000)));
}

#[test]
fn half_a_frame_is_waited_for_so_long_and_no_longer() {
    let counted = |half: &mut DubboToHttp2| {
        let count = Event::Count(Counter::ConnectionsHalfFrame, 1);
        half.events().filter(|event| *event == count).count()
    };
    let patient = |text: &str| Arc::new(Config::parse(text.as_bytes()).unwrap());
    let call = region(1, "eu", 1000);
    for cut in [1, 15, 16, 500, call.len() - 1] {
        let mut half = DubboToHttp2::new(patient(r#"{"half_frame_ms":1000}"#), 0);
        half.from_dubbo(&call);
        assert_eq!(half.next_deadline(), None);
        half.at(5000);
        half.from_dubbo(&call[..cut]);
        assert_eq!(half.next_deadline(), Some(6000), "{cut}");
        half.at(5999);
        // While nobody reads, nobody can finish it.
        half.not_read(5999);
        half.at(6500);
        assert_eq!((half.next_deadline(), half.closing()), (Some(6999), None));
        half.at(6999);
        assert_eq!(half.closing(), Some(&Close::HalfFrame));
        assert_eq!((counted(&mut half), half.next_deadline()), (1, None));
    }
    // Each byte is a sign of life, and the end is the end.
    let mut half = DubboToHttp2::new(patient(r#"{"half_frame_ms":1000}"#), 0);
    for (n, byte) in call.iter().enumerate() {
        half.at(n as u64 * 999);
        half.from_dubbo(&[*byte]);
    }
    half.at(u64::MAX / 2);
    assert_eq!(counted(&mut half), 0);
    assert_eq!(half.closing(), None);
    let mut half = DubboToHttp2::new(patient(r#"{"half_frame_ms":0}"#), 0);
    half.from_dubbo(&call[..20]);
    assert_eq!(half.next_deadline(), None);
}
