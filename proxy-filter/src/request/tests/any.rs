//! Any frames and any headers.

use super::*;

fn header() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let name = prop_oneof![
        Just(b":path".to_vec()),
        Just(b"tri-service-version".to_vec()),
        Just(b"tri-service-group".to_vec()),
        Just(b"dubbo-mesh-seal".to_vec()),
        Just(b"traceparent".to_vec()),
        any::<Vec<u8>>(),
    ];
    (name, any::<Vec<u8>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any call that passes, passes back byte for byte: with its seal, without, and under other options.
    #[test]
    fn what_is_not_changed_is_not_written(
        service in "[a-zA-Z.$/]{1,20}",
        version in ".{0,8}",
        method in ".{1,12}",
        attachments in proptest::collection::vec((".{0,6}", ".{0,6}"), 0..6),
    ) {
        let attachments: Vec<_> = attachments.iter().map(|(name, value)| (&**name, &**value)).collect();
        let bytes = written(&service, &version, &method, STRING, &attachments);
        let (ours, other) = (config(r#"{"attachments":["*"]}"#), Config::default());
        let mut headers = Headers::new();
        if to_headers(&frame(&bytes), &ours, &mut Seen::default(), &mut headers).is_ok() {
            for config in [&ours, &other] {
                prop_assert!(write_back(&frame(&bytes), pairs(&headers), config).unwrap().is_none());
            }
            headers.pop();
            prop_assert!(write_back(&frame(&bytes), pairs(&headers), &ours).unwrap().is_none());
        }
    }

    /// Headers of any kind are written, ignored or refused; what is written is a frame of the same call.
    #[test]
    fn any_headers_are_taken(headers in proptest::collection::vec(header(), 0..8), keep in any::<bool>()) {
        let bytes = recorded::request("3.3.6", "fastjson2-tag");
        let config = config(r#"{"attachments":["*"]}"#);
        let mut all = made(&bytes, &config).0;
        if !keep {
            all.clear();
        }
        all.extend(headers);
        if let Ok(Some(patch)) = write_back(&frame(&bytes), pairs(&all), &config) {
            let patched = patch.to_vec();
            let whole = frame(&patched);
            let request = Request::parse(whole.head(), whole.body(), &config.frames).unwrap();
            prop_assert_eq!(request.peek().method, Text::new("context"));
            prop_assert_eq!(request.target().interface, Some(Text::new("demo.GreetService")));
        }
    }

    #[test]
    fn any_bytes_are_a_call_or_refused(bytes in any::<Vec<u8>>(), flags in any::<u8>()) {
        let mut whole = b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07\0\0\0\0".to_vec();
        whole[2] = flags;
        whole[12..].copy_from_slice(&(bytes.len() as u32).to_be_bytes());
        whole.extend(&bytes);
        let mut headers = Headers::new();
        let call = to_headers(&frame(&whole), &Config::default(), &mut Seen::default(), &mut headers);
        prop_assert_eq!(call.is_err(), headers.is_empty());
        let _ = call.map_err(|refusal| refusal.reply());
    }
}
