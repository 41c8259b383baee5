//! Calls that the mesh changed by their headers, as the library reads them that a provider reads with.

use dubbo_codec::{Frame, Limits, Text};
use dubbo_proxy_filter::config::Config;
use dubbo_proxy_filter::request::{Seen, to_headers, write_back};

use super::process::hessian_lite;
use super::recorded::{quote, recorded};
use super::requests::with;

/// The body's own version, the third of its strings.
fn with_version(meaning: &str, version: &str) -> String {
    let mut words: Vec<&str> = meaning.splitn(5, ' ').collect();
    let version = quote(Text::new(version));
    words[3] = &version;
    words.join(" ")
}

#[test]
fn changed_headers_are_what_a_provider_reads() {
    let mut oracles = hessian_lite();
    let options = br#"{"attachments":["dubbo.tag","plain","utf8","New"],"custom_paths":"trust"}"#;
    let config = Config::parse(options).unwrap();
    let mut changed = 0;
    for r in recorded() {
        if !r.meaning.starts_with("request ") {
            continue;
        }
        let frame = Frame::parse(&r.bytes, &Limits::default()).unwrap().unwrap();
        let mut headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        to_headers(&frame, &config, &mut Seen::default(), &mut headers).unwrap();
        let set = [
            ("tri-service-version", "7.7.7"),
            ("tri-service-group", "blue"),
            ("dubbo.tag", "green"),
            ("plain", "UTF-8''%E5%80%BC%F0%9F%98%80"),
            ("new", "1"),
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
        ];
        headers.retain(|(name, _)| {
            name != b"utf8" && set.iter().all(|(known, _)| name != known.as_bytes())
        });
        headers.extend(set.map(|(name, value)| (name.into(), value.into())));
        let pairs = headers.iter().map(|(name, value)| (&**name, &**value));
        let patch = write_back(&frame, pairs, &config).unwrap().unwrap();

        let mut expected = with_version(&r.meaning, "7.7.7");
        let version = with(&expected, "version", Some("7.7.7"));
        if expected.contains("\"version\"=") {
            expected = version;
        }
        for (name, value) in [
            ("group", Some("blue")),
            ("dubbo.tag", Some("green")),
            ("plain", Some("值😀")),
            ("New", Some("1")),
            ("traceparent", Some(set[5].1)),
            ("utf8", None),
        ] {
            expected = with(&expected, name, value);
        }
        for oracle in &mut oracles {
            let read = oracle.ask('F', &patch.to_vec());
            assert_eq!(read.as_deref(), Ok(&*expected), "{} {}", r.file, r.case);
        }
        changed += 1;
    }
    assert!(changed > 100, "{changed}");
}
