//! Which headers a provider's answer has.

use super::*;

#[test]
fn recorded_answers_have_their_headers() {
    for (version, case, expected) in [
        (
            "3.3.6",
            "hello",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\n",
        ),
        (
            "3.3.6",
            "null",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\n",
        ),
        (
            "2.6.12",
            "fail",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\ndubbo-exception: demo.BizException\n",
        ),
        (
            "3.3.6",
            "fastjson2-fail",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\ndubbo-exception: demo.BizException\n",
        ),
        (
            "3.3.6",
            "failrt",
            ":status: 200\ncontent-type: application/x-dubbo2\ndubbo-status: 20\n\
             dubbo-exception: java.lang.IllegalStateException\n",
        ),
        (
            "3.2.16",
            "threadpool-exhausted",
            ":status: 429\ncontent-type: application/x-dubbo2\ndubbo-status: 100\n",
        ),
        (
            "2.6.12",
            "not-found",
            ":status: 500\ncontent-type: application/x-dubbo2\ndubbo-status: 70\n",
        ),
        (
            "3.3.6",
            "not-found",
            ":status: 400\ncontent-type: application/x-dubbo2\ndubbo-status: 40\n",
        ),
    ] {
        assert_eq!(
            made(&recorded::response(version, case)),
            expected,
            "{version} {case}"
        );
    }
}

/// The recordings' notes say which responses are exceptions: `result 0` and `result 3`, `0 ;` and `3 ;`.
#[test]
fn every_recorded_exception_is_seen_and_nothing_else() {
    let (mut exceptions, mut others) = (0, 0);
    for r in recorded::all() {
        let head = *frame(&r.bytes).head();
        if head.kind != FrameKind::Response || head.event || r.meaning.is_empty() {
            continue;
        }
        let throws = ["result 0", "result 3", "0 ;", "3 ;"]
            .iter()
            .any(|begin| r.meaning.starts_with(begin));
        let lines = made(&r.bytes);
        assert_eq!(
            lines.contains("dubbo-exception: "),
            throws && head.status.is_ok(),
            "{} {}",
            r.version,
            r.case
        );
        assert!(!lines.contains("unknown"), "{} {}", r.version, r.case);
        *(if throws { &mut exceptions } else { &mut others }) += 1;
    }
    assert!(exceptions > 10 && others > 100, "{exceptions} {others}");
}

#[test]
fn exceptions_in_other_serializations_are_seen() {
    for case in ["fastjson-fail", "gson-fail", "msgpack-fail"] {
        assert!(
            made(&recorded::response("2.7.23-other", case)).contains("dubbo-exception: "),
            "{case}"
        );
    }
    for case in [
        "fastjson-hello",
        "gson-hello",
        "msgpack-hello",
        "fastjson-null",
        "gson-void",
        "msgpack-map",
    ] {
        assert!(
            !made(&recorded::response("2.7.23-other", case)).contains("dubbo-exception"),
            "{case}"
        );
    }
}

/// The least that is needed of each response, and that more changes nothing.
#[test]
fn a_value_of_any_length_needs_its_first_bytes_only() {
    for r in recorded::all() {
        let whole = frame(&r.bytes);
        let head = whole.head();
        if head.kind != FrameKind::Response || head.event {
            continue;
        }
        let of = |n: usize| {
            let mut headers = Headers::new();
            let status = to_headers(head, &whole.body()[..n], &Config::default(), &mut headers);
            assert_eq!(status.is_none(), headers.is_empty());
            status.map(|_| recorded::lines(&headers))
        };
        let least = (0..=whole.body().len()).find(|n| of(*n).is_some()).unwrap();
        let has_exception = made(&r.bytes).contains("dubbo-exception");
        if r.version != "2.7.23-other" {
            assert!(
                if has_exception {
                    least == whole.body().len()
                } else {
                    least <= 6
                },
                "{} {}",
                r.version,
                r.case
            );
        }
        for n in [least, (least + whole.body().len()) / 2, whole.body().len()] {
            assert_eq!(of(n), Some(made(&r.bytes)), "{} {}", r.version, r.case);
        }
    }
    // An exception of a megabyte is not waited for.
    let mut long = recorded::response("3.3.6", "fail");
    long.resize(1 << 20, b'x');
    let len = (long.len() - 16) as u32;
    long[12..16].copy_from_slice(&len.to_be_bytes());
    let mut headers = Headers::new();
    let head = FrameHead::parse(&long).unwrap().unwrap();
    assert_eq!(
        to_headers(
            &head,
            &long[16..16 + EXCEPTION_BYTES - 1],
            &Config::default(),
            &mut headers
        ),
        None
    );
    assert_eq!(
        to_headers(
            &head,
            &long[16..16 + EXCEPTION_BYTES],
            &Config::default(),
            &mut headers
        ),
        Some(200)
    );
    assert_eq!(
        headers[3],
        (b"dubbo-exception".to_vec(), b"unknown".to_vec())
    );
}
