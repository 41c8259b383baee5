//! Frames that no version of Dubbo at hand can be made to send, made after its sources.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod support;

use dubbo_codec::{Event, Frame, Limits, Outcome, Parameters, Request, Response, Text};
use support::{Recorded, quote};

fn of(prefix: &str) -> Vec<Recorded> {
    let mut all = support::read("made.tsv");
    all.retain(|r| r.case.starts_with(prefix));
    assert!(!all.is_empty(), "no frames {prefix}");
    all
}

#[test]
fn a_provider_that_does_not_close_after_all() {
    for r in of("writable") {
        let frame = Frame::parse(&r.bytes, &Limits::default()).unwrap().unwrap();
        let event = Event::parse(frame.head(), frame.body());
        assert_eq!(event, Ok(Event::Writable), "{}", r.case);
        assert!(matches!(&*r.meaning, "event \"W\"" | "\"W\""));
    }
}

#[test]
fn every_status_but_ok_has_a_text_or_null() {
    for r in of("status-") {
        let frame = Frame::parse(&r.bytes, &Limits::default()).unwrap().unwrap();
        let response = Response::parse(frame.head(), frame.body(), &Limits::default()).unwrap();
        let Outcome::Failed(message) = response.outcome() else {
            panic!("{}: {response:?}", r.case);
        };
        let message = message.map_or_else(|| "N".into(), quote);
        let status = frame.head().status.0;
        assert_eq!(r.case, format!("status-{status}"));
        assert_eq!(r.meaning, format!("status {status} {message}"));
        assert!(response.attachments().is_empty());
    }
}

/// An int where the types are: -1, and the types follow; else the number of arguments.
#[test]
fn dubbox_counts_arguments() {
    for r in of("dubbox-") {
        let frame = Frame::parse(&r.bytes, &Limits::default()).unwrap().unwrap();
        let request = Request::parse(frame.head(), frame.body(), &Limits::default()).unwrap();
        let (parameters, arguments): (_, &[&[u8]]) = match &*r.case {
            "dubbox-types" => (
                Parameters::Types(Text::new("Ljava/lang/String;I")),
                &[b"\x01x", b"\xa9"],
            ),
            "dubbox-count" => (Parameters::Count(2), &[b"\x01x", b"\xa9"]),
            _ => (Parameters::Count(0), &[]),
        };
        assert_eq!(request.peek().parameters, parameters, "{}", r.case);
        assert!(request.arguments().eq(arguments.iter().copied()));
        let path = request.attachments().text("path");
        assert_eq!(path, Some(Text::new("demo.GreetService")));
        // As hessian-lite reads it.
        let map =
            r#"{"path"="demo.GreetService","interface"="demo.GreetService","version"="0.0.0"}"#;
        assert!(r.meaning.ends_with(&format!(" | {map}")), "{}", r.meaning);
    }
}
