use super::*;

#[test]
fn the_documentation_has_the_same_table() {
    let rows = SETTINGS.map(|s| format!("| `{}` | `{}` | {} |\n", s.name, s.default, s.meaning));
    let table = format!(
        "| option | default | meaning |\n|---|---|---|\n{}\n",
        rows.concat()
    );
    assert!(
        include_str!("../../README.md").contains(&table),
        "README.md should have\n{table}"
    );
}

#[test]
fn the_defaults_are_those_of_the_table() {
    let defaults = Config::default();
    for setting in SETTINGS {
        let mut config = defaults.clone();
        config.attachments = AllowList::default();
        config.trace = AllowList::default();
        let value = serde_json::from_str(setting.default).unwrap();
        (setting.set)(&mut config, &value).unwrap();
        match setting.name {
            "attachments" => assert_eq!(config.attachments, defaults.attachments),
            "trace" => assert_eq!(config.trace, defaults.trace),
            _ => {
                config.attachments = defaults.attachments.clone();
                config.trace = defaults.trace.clone();
                assert_eq!(config, defaults, "{}", setting.name);
            }
        }
    }
    for text in ["", " \n", "{}", r#"{"limits":{}}"#] {
        assert_eq!(
            Config::parse(text.as_bytes()).as_ref(),
            Ok(&defaults),
            "{text:?}"
        );
    }
}

#[test]
fn every_option_can_be_set() {
    let text = br#"{"mode":"observe","attachments":["Region","acme-*"],"trace":[],
        "serializations":["hessian2",23],"unreadable":"refuse","generic":"invoke","custom_paths":"trust",
        "over_limit":"route_without_attachments","authority_for_http2":true,"deadline":false,
        "heartbeat_ms":0,"drain_ms":5000.0,"readonly_event":false,"half_frame_ms":7,"hold_ms":8,"limits":{"frame_bytes":1,"call_bytes":2,
        "connection_bytes":3,"worker_bytes":4,"calls":5,"headers":16,"header_bytes":1024}}"#;
    let expected = Config {
        mode: Mode::Observe,
        attachments: AllowList::new(["Region", "acme-*"]).unwrap(),
        trace: AllowList::default(),
        serializations: 1 << 2 | 1 << 23,
        unreadable: Unreadable::Refuse,
        generic: Generic::Invoke,
        custom_paths: CustomPaths::Trust,
        over_limit: OverLimit::RouteWithoutAttachments,
        authority_for_http2: true,
        deadline: false,
        heartbeat_ms: 0,
        drain_ms: 5000,
        readonly_event: ReadonlyEvent::Never,
        half_frame_ms: 7,
        hold_ms: 8,
        limits: Limits {
            call_bytes: 2,
            connection_bytes: 3,
            worker_bytes: 4,
            calls: 5,
            headers: 16,
            header_bytes: 1024,
        },
        frames: {
            let mut limits = dubbo_codec::Limits::default();
            limits.max_body = 1;
            limits
        },
        sealer: Sealer::of_process(()),
    };
    let config = Config::parse(text).unwrap();
    assert_eq!(config, expected.sealed());
    let admitted = (0..32).filter(|id| config.admits(Serialization::new(*id)));
    assert_eq!(admitted.collect::<Vec<_>>(), [2, 23]);
    assert!((0..32).all(|id| Config::default().admits(Serialization::new(id))));
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    for (text, error) in [
        ("[]", "configuration: expected an object, got a list"),
        (
            r#"{"attachment":[]}"#,
            "configuration: `attachment`: no such option; did you mean `attachments`?",
        ),
        (
            r#"{"limits":{"cals":1}}"#,
            "configuration: `limits.cals`: no such option; did you mean `limits.calls`?",
        ),
        (
            r#"{"zzz":1}"#,
            "configuration: `zzz`: no such option; there are `mode`, `attachments`, `trace`, `serializations`, \
             `unreadable`, `generic`, `custom_paths`, `over_limit`, `authority_for_http2`, `deadline`, \
             `heartbeat_ms`, `drain_ms`, `readonly_event`, `half_frame_ms`, `hold_ms`, `limits`",
        ),
        (
            r#"{"limits":5}"#,
            "configuration: `limits`: expected an object, got 5",
        ),
        (
            r#"{"mode":"rout"}"#,
            "configuration: `mode`: expected `route` or `observe`, got \"rout\"",
        ),
        (
            r#"{"mode":null}"#,
            "configuration: `mode`: expected `route` or `observe`, got null",
        ),
        (
            r#"{"deadline":"true"}"#,
            "configuration: `deadline`: expected true or false, got \"true\"",
        ),
        (
            r#"{"limits":{"calls":0}}"#,
            "configuration: `limits.calls`: expected a whole number from 1 to 4294967295, got 0",
        ),
        (
            r#"{"drain_ms":1.5}"#,
            "configuration: `drain_ms`: expected a whole number from 0 to 4294967295, got 1.5",
        ),
        (
            r#"{"attachments":"a"}"#,
            "configuration: `attachments`: expected a list of names and `prefix*`, got \"a\"",
        ),
        (
            r#"{"attachments":["x",1]}"#,
            "configuration: `attachments`: expected a list of names and `prefix*`, got 1 in it",
        ),
        (
            r#"{"attachments":["content-type"]}"#,
            "configuration: `attachments`: `content-type` is never taken from a caller nor written back",
        ),
        (
            r#"{"serializations":["hesian"]}"#,
            "configuration: `serializations`: expected names and numbers from 0 to 31, got \"hesian\" in it",
        ),
        (
            r#"{"limits":{"call_bytes":20000000}}"#,
            "configuration: `limits.connection_bytes`: one call may take 20000000 bytes, its whole connection \
             only 16777216",
        ),
        (
            r#"{"limits":{"connection_bytes":200000000}}"#,
            "configuration: `limits.worker_bytes`: one connection may take 200000000 bytes, its whole worker \
             only 134217728",
        ),
        (
            r#"{"attachments":["b3"]}"#,
            "configuration: `trace`: `b3` is among `attachments` too",
        ),
    ] {
        assert_eq!(
            Config::parse(text.as_bytes()).unwrap_err().to_string(),
            error,
            "{text}"
        );
    }
    let error = Config::parse(b"{").unwrap_err().to_string();
    assert!(error.starts_with("configuration: no JSON: "), "{error}");
    assert!(Config::parse(&[0xff]).is_err());
}

#[test]
fn a_providers_end_refuses_what_it_would_not_do() {
    let text = r#"{"mode":"observe"}"#;
    assert!(Config::parse(text.as_bytes()).is_ok());
    let refused = Config::parse_for_provider(text.as_bytes()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "configuration: `mode`: a provider's end cannot let HTTP/2 pass; `dubbo_observe` observes"
    );
    assert_eq!(Config::parse_for_provider(b"{}"), Ok(Config::default()));
}
