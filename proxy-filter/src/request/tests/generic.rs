//! Calls by `$invoke` and `$invokeAsync`.

use super::*;

/// A first argument that Java turns into a name and we do not read: a provider would execute what no
/// policy has seen.
#[test]
fn a_generic_call_of_a_method_that_is_not_told_is_refused() {
    const TYPES: &str = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";
    let strings = ["2.0.2", "a.B", "0.0.0", "$invoke", TYPES];
    let hessian2 = |argument: &[u8]| {
        let mut body = hessian2::Writer::new();
        strings.iter().for_each(|text| body.string(Text::new(text)));
        [&body.into_bytes()[..], argument, b"NNN"].concat()
    };
    // In GB18030; lengths and leads are those of JSONB, `0x7e` before the text, its bytes and an int.
    let value = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let mut fastjson2 = Vec::new();
    for text in strings {
        let len = text.len() as u8;
        let lead = match len {
            ..48 => vec![0x49 + len],
            _ => vec![0x79, 0x38, len],
        };
        fastjson2.extend(value(&[&lead, text.as_bytes()].concat()));
    }
    for argument in [
        &b"\x7e\x04\xd6\xa7\xb8\xb6"[..],
        b"\xaf",
        b"\xaf",
        b"\xa6\xa5",
    ] {
        fastjson2.extend(value(argument));
    }
    let mut in_fastjson2 = framed(&fastjson2);
    in_fastjson2[2] = in_fastjson2[2] & 0xe0 | Serialization::FASTJSON2.id();
    let invoke = config(r#"{"generic":"invoke"}"#);
    for bytes in [
        framed(&hessian2(b"N")),
        framed(&hessian2(b"\x91")),
        framed(&hessian2(b"\x07$invoke")),
        in_fastjson2,
    ] {
        let (class, text) = refused(&bytes, &Config::default());
        assert_eq!(
            (class, &*text),
            (
                Class::Generic,
                "the method that this generic call means cannot be told"
            )
        );
        assert!(lines(&bytes, &invoke).contains(":path: /a.B/$invoke\n"));
    }
}

#[test]
fn generic_calls_say_which_kind_they_are() {
    const TYPES: &str = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;";
    for (kind, header) in [
        (&[("generic", "bean")][..], "bean"),
        (&[], "true"),
        (&[("generic", "")], "true"),
    ] {
        let mut body = hessian2::Writer::new();
        for text in ["2.0.2", "a.B", "0.0.0", "$invokeAsync", TYPES, "hello"] {
            body.string(Text::new(text));
        }
        body.null();
        body.null();
        body.begin_map(None);
        for (key, value) in kind {
            body.string(Text::new(key));
            body.string(Text::new(value));
        }
        body.end_map();
        let text = lines(&framed(&body.into_bytes()), &Config::default());
        assert!(text.contains(":path: /a.B/hello\n"), "{text}");
        assert!(
            text.contains(&format!("\ndubbo-generic: {header}\n")),
            "{text}"
        );
    }
}

#[test]
fn generic_calls_are_called_as_configured() {
    let bytes = recorded::request("3.3.6", "generic");
    let invoke = config(r#"{"generic":"invoke"}"#);
    let path = |config: &Config| made(&bytes, config).0[3].1.clone();
    assert_eq!(path(&Config::default()), b"/demo.GreetService/hello");
    assert_eq!(path(&invoke), b"/demo.GreetService/$invoke");
    // The other half may be configured otherwise.
    let (headers, _) = made(&bytes, &invoke);
    assert!(
        write_back(&frame(&bytes), pairs(&headers), &Config::default())
            .unwrap()
            .is_none()
    );
}
