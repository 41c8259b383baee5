//! Damaged and hostile input: never a panic, never without bounds, and what can be read is read.

use dubbo_mcp_server::decode::Ended;
use proptest::prelude::*;
use serde_json::json;

use crate::captures::{packets, pcap, talk};
use crate::support::{recorded, run, stream, unhex};

#[test]
fn a_stream_that_ends_anywhere_is_read_up_to_there() {
    let frames: Vec<_> = recorded("2.7.23").into_iter().take(4).collect();
    let whole = stream(&frames);
    let all = run(&["--output", "json"], &whole).objects();
    let mut ends = vec![0];
    ends.extend(frames.iter().scan(0, |at, frame| {
        *at += frame.bytes.len();
        Some(*at)
    }));
    for len in 2..whole.len() {
        let ran = run(&["--output", "json"], &whole[..len]);
        let complete = ends.iter().filter(|end| **end > 0 && **end <= len).count();
        let found = ran.objects();
        assert_eq!(found[..complete], all[..complete], "{len}");
        let is_between = ends.contains(&len);
        assert_eq!(found.len(), complete + usize::from(!is_between), "{len}");
        let expected = if is_between {
            Ended::Done
        } else {
            Ended::Broken
        };
        assert_eq!(ran.ended, Ok(expected), "{len}");
    }
}

#[test]
fn a_capture_that_ends_anywhere_is_read_up_to_there() {
    let frames: Vec<_> = recorded("2.7.23").into_iter().take(4).collect();
    let messages: Vec<_> = frames
        .iter()
        .map(|f| (f.from_consumer, &*f.bytes))
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 100);
    let whole = pcap(1, &packets(&talk, &talk.segments(&messages)));
    let all = run(&["--output", "json"], &whole).objects();
    for len in (24..whole.len()).step_by(5) {
        let found = run(&["--output", "json"], &whole[..len]).objects();
        let whole: Vec<_> = found.iter().filter(|o| o.get("cut").is_none()).collect();
        let whole: Vec<_> = whole
            .into_iter()
            .filter(|o| o["kind"] != "passed")
            .collect();
        assert!(
            whole.iter().zip(&all).all(|(found, all)| *found == all),
            "{len}"
        );
    }
}

#[test]
fn a_body_that_is_wrong_does_not_stop_the_next_frame() {
    let frames = recorded("2.7.23");
    let whole = stream(&frames[..4]);
    let length = frames[0].bytes.len();
    for at in 16..length {
        let mut damaged = whole.clone();
        // A lead byte that Hessian 2 reserves.
        damaged[at] = 0x40;
        let found = run(&["--output", "json"], &damaged).objects();
        assert_eq!(found.len(), 4, "{at}");
        assert_eq!(found[0]["length"], length);
        assert_eq!(found[2]["arguments"], json!([40, 2]));
        assert_eq!(found[3]["value"], 42);
    }
    // The lead byte of the one argument: 16 of the head, 59 of the strings before it.
    let mut damaged = whole;
    let at = 16 + 6 + 18 + 6 + 6 + 19;
    assert_eq!(damaged[at], 0x0b, "the argument's length");
    damaged[at] = 0x40;
    let found = run(&["--output", "json"], &damaged).objects();
    let expected = json!({"offset": at, "what": "value", "reason": "unexpected byte 0x40"});
    assert_eq!(found[0]["broken"], expected);
    assert_eq!(
        (&found[0]["method"], &found[0]["arguments"]),
        (&json!("hello"), &json!([]))
    );
}

#[test]
fn what_was_read_of_a_broken_value_is_shown() {
    let frames = recorded("3.3.6");
    let pojo = frames
        .iter()
        .find(|f| f.case == "pojo" && f.from_consumer)
        .unwrap();
    let mut bytes = pojo.bytes.clone();
    // The amount's text: `12.50`, of the class BigDecimal.
    let at = bytes.windows(6).position(|w| w == b"\x0512.50").unwrap();
    bytes[at] = 0x40;
    let ran = run(&["--output", "json"], &bytes);
    assert_eq!(ran.ended, Ok(Ended::Broken));
    let found = &ran.objects()[0];
    let expected = json!({
        "$class": "demo.Person",
        "boss": {"$ref": 0},
        "born": {"$date": "2023-11-14T22:13:20.123Z"},
        "pay": {"$class": "java.math.BigDecimal"},
    });
    assert_eq!(found["arguments"], json!([expected]));
    assert_eq!(found["broken"]["offset"], at);
}

#[test]
fn bytes_between_frames_are_passed_over() {
    let frames = recorded("2.7.23");
    let junk = [1, 2, 0xda, 0xbb, 0xff, 0xff, 3];
    let damaged = [&frames[0].bytes[..], &junk, &frames[1].bytes].concat();
    let ran = run(&["--output", "json"], &damaged);
    let found = ran.objects();
    let passed = json!({
        "kind": "passed", "offset": 193, "length": 7, "reason": "magic: not a Dubbo frame"
    });
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[1], passed);
    assert_eq!(found[2]["value"], "hello Wörld 世界 😀 from p1");
    assert_eq!(ran.ended, Ok(Ended::Broken));
}

#[test]
fn a_file_that_begins_within_a_frame_is_read_from_the_next_one_on() {
    let frames = recorded("2.7.23");
    let whole = stream(&frames);
    let ran = run(&["--output", "json"], &whole[100..]);
    let found = ran.objects();
    assert_eq!(
        (&found[0]["kind"], &found[0]["length"]),
        (&json!("passed"), &json!(93))
    );
    assert_eq!(found.len(), frames.len());
    assert_eq!(ran.ended, Ok(Ended::Broken));
}

#[test]
fn serializations_that_are_not_read_show_their_head() {
    let bytes = unhex(
        "dabbc8000000000000000007000000030102 03"
            .replace(' ', "")
            .as_str(),
    );
    let ran = run(&[], &bytes);
    let expected = "\
@0 request 7, kryo, 19 bytes
    body         3 bytes; kryo is not read
";
    assert_eq!((ran.out.as_str(), ran.ended), (expected, Ok(Ended::Done)));
    assert_eq!(
        ran.report,
        "1 frame, 1 in serializations that are not read\n"
    );
}

#[test]
fn a_body_above_the_limit_is_passed_over() {
    let frames = recorded("2.7.23");
    let ran = run(
        &["--max-body", "100", "--output", "json"],
        &stream(&frames[..2]),
    );
    let found = ran.objects();
    assert_eq!(
        (&found[0]["tooLong"], found[0].get("method")),
        (&json!(true), None)
    );
    assert_eq!(found[1]["value"], "hello Wörld 世界 😀 from p1");
    assert_eq!(ran.ended, Ok(Ended::Broken));
}

#[test]
fn what_is_nothing_that_is_decoded_is_named() {
    for (input, part) in [
        (b"" as &[u8], "is empty"),
        (b"GET / HTTP/1.1\r\n\r\n", "seems to be HTTP/1"),
        (b"dabb c200", "need --hex"),
        (b"\x1f\x8b\x08\0", "is compressed"),
    ] {
        let why = run(&[], input).ended.unwrap_err();
        assert!(why.contains(part), "{why}");
    }
}

/// Text of a peer can neither look like a line of ours nor steer a terminal.
#[test]
fn text_of_peers_stays_where_it_is() {
    // A response with status 70 and the message "\u{1b}[31m\u{9b}\u{202e}".
    let bytes = unhex(
        "dabb0246000000000000000700000 00b071b5b33316dc29be280ae"
            .replace(' ', "")
            .as_str(),
    );
    for words in [&[][..], &["--output", "json"]] {
        let ran = run(words, &bytes);
        assert_eq!(ran.ended, Ok(Ended::Done), "{}", ran.out);
        let control = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!ran.out.contains(control), "{:?}", ran.out);
    }
}

/// What is printed is not much longer than what came: a value that is mentioned often is written once.
#[test]
fn mentioning_a_value_again_does_not_repeat_it() {
    let head = &unhex("dabbc2000000000000000007");
    let strings = b"\x052.0.2\x01s\x01v\x01m";
    let big = [b"\x57", &b"\x0812345678".repeat(20_000)[..], b"Z"].concat();
    let arguments = [&big[..], &b"\x51\x90".repeat(199)].concat();
    let types = [b"\x30\xc8", &[b'I'; 200][..]].concat();
    let again = b"\x01a\x51\x90".repeat(1000);
    let body = [strings, &types[..], &arguments, b"H", &again, b"Z"].concat();
    let frame = [head, &(body.len() as u32).to_be_bytes()[..], &body].concat();
    for words in [&["--longest", "0"][..], &["--output", "json"]] {
        let ran = run(words, &frame);
        assert_eq!(ran.ended, Ok(Ended::Done));
        assert!(
            ran.out.len() < 3 * frame.len(),
            "{} of {}",
            ran.out.len(),
            frame.len()
        );
    }
    // A map that is its own key.
    let ran = run(&["--hessian2"], b"HQ\x90NZ");
    assert_eq!(ran.out, "{\"{\\\"$ref\\\":0}\":null}\n");
}

/// Many connections, each with something unfinished: memory stays what the options say.
#[test]
fn ten_thousand_streams() {
    let frame = &recorded("2.7.23")[0].bytes;
    let capture = |streams: u32| {
        let streams = (0..streams).flat_map(|number| {
            let [_, b, c, d] = number.to_be_bytes();
            let talk = talk(&format!("10.{b}.{c}.{d}:41234"), "10.200.0.6:20880", 1400);
            packets(&talk, &talk.segments(&[(true, &frame[..190])])[..4])
        });
        pcap(101, &streams.collect::<Vec<_>>())
    };
    for (streams, bound, value) in [
        (10_000, "--max-connections", "500"),
        (1000, "--max-memory", "20000"),
    ] {
        let ran = run(&[bound, value, "--output", "json"], &capture(streams));
        let found = ran.objects();
        assert_eq!(found.len(), streams as usize);
        assert!(found.iter().all(|object| object["cut"]["missing"] == 3));
    }
}

#[test]
fn lengths_that_cannot_be_end_a_capture() {
    let frames: Vec<_> = recorded("2.7.23").into_iter().take(2).collect();
    let messages: Vec<_> = frames
        .iter()
        .map(|f| (f.from_consumer, &*f.bytes))
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 1400);
    let packets = packets(&talk, &talk.segments(&messages));
    let mut capture = pcap(101, &packets);
    capture.extend([
        0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1, 2, 3,
    ]);
    let ran = run(&["--output", "json"], &capture);
    assert_eq!((ran.ended, ran.out.lines().count()), (Ok(Ended::Broken), 2));
    assert!(ran.report.contains("at byte"), "{}", ran.report);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn random_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        start in prop::sample::select(vec![
            "", "dabb", "dabbc200", "dabb0214", "dabb1714", "dabbd700", "dabbc600", "dabbdb00",
            "a1b2c3d4", "d4c3b2a1", "0a0d0d0a", "a1b2c3d400020004000000000000000000ffffff00000001",
            "0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000",
        ]),
    ) {
        let input = [unhex(start), bytes].concat();
        for words in [&[][..], &["--output", "json"], &["--hessian2"], &["--jsonb"], &["--hex"]] {
            run(words, &input);
        }
    }

    #[test]
    fn random_damage_never_panics(
        at in prop::collection::vec((0..60_000_usize, any::<u8>()), 1..40),
        version in prop::sample::select(vec!["2.6.12", "2.7.23-other", "3.3.6"]),
    ) {
        let frames = recorded(version);
        let messages: Vec<_> = frames.iter().map(|f| (f.from_consumer, &*f.bytes)).collect();
        let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 300);
        let mut capture = pcap(1, &packets(&talk, &talk.segments(&messages)));
        let mut plain = stream(&frames);
        for (at, byte) in at {
            for input in [&mut capture, &mut plain] {
                let at = 4 + at % (input.len() - 4);
                input[at] ^= byte;
            }
        }
        for input in [capture, plain] {
            run(&["--output", "json"], &input).objects();
            run(&[], &input);
        }
    }
}
