//! What is no call, or cannot go; and any bytes at all.

use super::*;

#[test]
fn what_is_no_call_is_refused() {
    let bytes = recorded::request("3.3.6", "hello");
    let mut call = Exchange::new(shared(""), ID);
    call.request_headers(
        [(&b"content-type"[..], &b"application/json"[..])].into_iter(),
        true,
    );
    let text = "this is no Dubbo call: its content type is not application/x-dubbo2";
    assert_eq!(said(&call.take()), (415, text.into()));
    call.request_data(b"{}", true);
    assert_eq!(call.take(), Output::default());

    let after = [&bytes[..], b"x"].concat();
    for (body, text) in [
        (
            &b"{\"json\": true, \"more\": 1}"[..],
            "the request's body is no Dubbo frame",
        ),
        (&after, "the request's body has bytes behind its frame"),
        (&bytes[..9], "the request's body ends before its frame"),
        (b"", "the request's body ends before its frame"),
    ] {
        let mut call = begun(&headers(&bytes));
        call.request_data(body, true);
        let out = call.take();
        assert_eq!(
            (said(&out), out.to_provider.is_empty()),
            ((400, text.into()), true)
        );
    }
    // The provider has something of it.
    for (sent, behind, why) in [
        (&bytes[..50], &b""[..], "the request ends before its frame"),
        (&bytes[..], b"x", "the request has bytes behind its frame"),
    ] {
        let mut call = begun(&headers(&bytes));
        call.request_data(sent, false);
        assert_eq!(call.take().to_provider, &ours(&bytes)[..sent.len()]);
        call.request_data(behind, true);
        let out = call.take();
        assert_eq!(out.abort, Some(why));
        assert_eq!(
            told_but_for_its_end(&out),
            (400, 40, format!("dubbo-mesh: {why}"))
        );
    }
}

#[test]
fn what_cannot_go_is_refused_in_the_caller_s_words() {
    let bytes = recorded::request("3.3.6", "fastjson2-hello");
    let mut moved = headers(&bytes);
    moved
        .iter_mut()
        .filter(|(name, _)| name == b":path")
        .for_each(|(_, value)| *value = b"/a/b".to_vec());
    let mut call = begun(&moved);
    call.request_data(&bytes, true);
    let out = call.take();
    let text = "dubbo-mesh: the path of this call, `/demo.GreetService/hello`, was changed to `/a/b`, but a Dubbo call \
                keeps its interface and method";
    assert_eq!(
        (told(&out), out.noted.refused),
        ((400, 40, text.into()), Some(Class::PathChanged))
    );

    let limited = r#"{"limits":{"call_bytes":100,"frame_bytes":200}}"#;
    for (case, with_seal, expected) in [
        (
            "hello",
            false,
            Some("dubbo-mesh: the call has 190 bytes, more than 100"),
        ),
        ("hello", true, None),
        (
            "generic",
            true,
            Some("dubbo-mesh: the call has 268 bytes, more than 200"),
        ),
    ] {
        let bytes = recorded::request("3.3.6", case);
        let config = shared(limited);
        let mut all = Headers::new();
        request::to_headers(
            &frame(&bytes),
            &config,
            &mut request::Seen::default(),
            &mut all,
        )
        .unwrap();
        if !with_seal {
            all.pop();
        }
        let mut call = Exchange::new(config, ID);
        call.request_headers(pairs(&all), false);
        call.request_data(&bytes[..30], false);
        let out = call.take();
        match expected {
            Some(text) => assert_eq!(told(&out), (400, 40, text.into())),
            None => assert_eq!(out.to_provider, &ours(&bytes)[..30]),
        }
    }
}

/// A request without a seal may come byte by byte and with long headers: they are looked at once.
#[test]
fn headers_are_not_read_again_with_each_byte() {
    let config = shared(r#"{"attachments":["baggage"],"trace":[]}"#);
    let bytes = recorded::request("3.3.6", "hello");
    let mut short = headers(&bytes);
    short.pop();
    let mut all = short.clone();
    all.push((b"baggage".to_vec(), vec![b'x'; 48_000]));
    let mut long = bytes[..12].to_vec();
    long.extend_from_slice(&8_000_000_u32.to_be_bytes());
    let began = std::time::Instant::now();
    let mut took = [0.0; 2];
    for (headers, took) in [&short, &all].into_iter().zip(&mut took) {
        let mut call = Exchange::new(Arc::clone(&config), ID);
        call.request_headers(pairs(headers), false);
        call.request_data(&long, false);
        let before = began.elapsed();
        for _ in 0..20_000 {
            call.request_data(b"x", false);
        }
        *took = (began.elapsed() - before).as_secs_f64();
        assert_eq!(call.take(), Output::default());
        assert!(call.held() > 20_000);
    }
    // With 48 KB of headers it took a hundred times as long as without.
    assert!(took[1] < 5.0 * took[0] + 0.01, "{took:?}");
}

/// Nothing of it has gone, and all of it is given back.
#[test]
fn a_request_that_is_gathered_can_be_given_up() {
    let bytes = recorded::request("3.3.6", "hello");
    let mut gathered = headers(&bytes);
    gathered.pop();
    let mut call = begun(&gathered);
    let before = call.held();
    assert!((1..2000).contains(&before));
    call.request_data(&bytes[..100], false);
    assert!(call.held() >= before + 100);
    call.over_limit();
    let out = call.take();
    let text = "dubbo-mesh: too many bytes of calls are held here";
    assert_eq!(told(&out), (429, 100, text.into()));
    assert!(out.to_provider.is_empty());
    assert_eq!(call.held(), before);
    call.request_data(&bytes[100..], true);
    assert_eq!(call.take(), Output::default());

    // One that passes holds nothing, and goes on.
    let mut call = begun(&headers(&bytes));
    call.request_data(&bytes[..100], false);
    call.take();
    call.over_limit();
    call.request_data(&bytes[100..], true);
    assert_eq!(call.take().to_provider, &bytes[100..]);
    assert!(call.held() < before + 200);
}

proptest! {
    /// Whatever comes from either side and however it is cut: one answer at most, and nothing after it.
    #[test]
    fn any_bytes_come_to_an_end(
        chunks in proptest::collection::vec((any::<bool>(), 0..6usize, any::<Vec<u8>>()), 0..12),
        sealed in any::<bool>(),
    ) {
        let request = recorded::request("3.3.6", "fastjson2-hello");
        let mut all = headers(&request);
        if !sealed {
            all.pop();
        }
        let mut call = begun(&all);
        let (mut begun, mut failed, mut over) = (0, false, false);
        for (from_provider, kind, random) in chunks {
            let bytes: &[u8] = match kind {
                0 => &random,
                1 => HEARTBEAT,
                2 => &request,
                3 => &ours(&recorded::response("3.3.6", "fastjson2-hello")),
                4 => READ_ONLY,
                _ => &request[..30],
            };
            match from_provider {
                true => call.provider_data(bytes, random.len() > 90),
                false => call.request_data(bytes, random.len() > 90),
            }
            let out = call.take();
            prop_assert!(!over || !out.end);
            prop_assert!(!(over || failed) || (out.headers.is_none() && out.body.is_empty()));
            prop_assert!(!failed || out.to_provider.is_empty());
            begun += usize::from(out.headers.is_some());
            failed |= out.abort.is_some();
            over |= out.end;
        }
        prop_assert!(begun <= 1);
    }
}
