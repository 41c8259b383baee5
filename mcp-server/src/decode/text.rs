//! What is told, for people.
//!
//! ```text
//! [time client > server] @offset request 7, hessian2, 193 bytes
//!     call         demo.GreetService hello(java.lang.String)
//!     argument     "World"
//!     attachments  path: "demo.GreetService", ...
//! ```
//! Everything that a peer chose is escaped as far as a terminal would act on it.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use dubbo_codec::{Error, FrameKind};

use crate::decode::body::{Answer, Call, Thrown};
use crate::decode::capture::Nanos;
use crate::decode::counted;
use crate::decode::json::{push_visible, reason};
use crate::decode::tell::{Around, Item, Place, Seen, What, sniffed};
use crate::decode::trace;
use crate::line::one_line;

/// Most lines of a stack trace.
const MOST_LINES: usize = 8;

/// Appends the item.
pub(crate) fn item(out: &mut String, item: &Item, longest: usize) {
    place(out, &item.place);
    // Writing to a string does not fail.
    let _ = match &item.what {
        What::Frame(seen) => {
            frame(out, &item.place, seen, longest);
            Ok(())
        }
        What::Gap(missing) => writeln!(out, "gap: {} not captured", bytes(*missing)),
        What::Passed(count, why) => {
            writeln!(
                out,
                "{} that belong to no frame: {}",
                bytes(*count),
                reason(*why)
            )
        }
        What::NotDubbo(sniff) => writeln!(out, "not Dubbo: {}", sniffed(*sniff)),
    };
}

fn bytes(count: u64) -> String {
    counted(count, "byte")
}

fn place(out: &mut String, place: &Place) {
    if let Some(time) = place.time {
        let _ = write!(out, "{} ", instant(time));
    }
    let _ = match &place.flow {
        Some((ends, to_server)) => {
            let arrow = if *to_server { '>' } else { '<' };
            write!(out, "{} {arrow} {} ", ends.client, ends.server)
        }
        None => write!(out, "@{} ", place.offset),
    };
}

/// Of RFC 3339, UTC, to the microsecond.
pub(crate) fn instant(time: Nanos) -> String {
    // What 64 bits of nanoseconds can say ends in the year 2554.
    humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_nanos(time)).to_string()
}

fn frame(out: &mut String, place: &Place, seen: &Seen, longest: usize) {
    let head = &seen.head;
    out.push_str(match (head.kind, head.two_way, head.event) {
        (FrameKind::Request, true, false) => "request",
        (FrameKind::Request, false, false) => "one-way request",
        (FrameKind::Request, _, true) => "event",
        (FrameKind::Response, _, false) => "response",
        (FrameKind::Response, _, true) => "event answer",
    });
    let _ = write!(out, " {}", head.id);
    if let Some(event) = &seen.body.event {
        let _ = write!(out, " {}", one_line(event));
    }
    if head.kind == FrameKind::Response {
        let _ = write!(out, " {}", head.status);
        if head.status.name().is_some() {
            let _ = write!(out, " ({})", head.status.0);
        }
    }
    if let Some(elapsed) = seen.elapsed(place) {
        let _ = write!(out, " after {:.3} ms", elapsed as f64 / 1e6);
    }
    let length = bytes(head.frame_len() as u64);
    let _ = writeln!(out, ", {}, {length}", head.serialization);
    Lines { out, longest }.frame(seen);
}

/// The lines below a frame's first.
struct Lines<'o> {
    out: &'o mut String,
    longest: usize,
}

impl Lines<'_> {
    fn frame(&mut self, seen: &Seen) {
        let body = &seen.body;
        let asked = seen.asked.as_ref().and_then(|asked| asked.call.as_ref());
        match (&body.call, asked) {
            (Some(call), _) => self.line("call", &called(call)),
            (None, Some(call)) => self.line("to", &called(call)),
            (None, None) => {}
        }
        let name = if body.call.is_some() {
            "argument"
        } else {
            "readable"
        };
        for argument in &body.arguments {
            self.json(name, argument);
        }
        match &body.answer {
            Some(Answer::Value(value)) => self.json("value", value),
            Some(Answer::Exception(thrown, value)) => self.exception(thrown, value),
            Some(Answer::Error(message)) => {
                let message = message.as_deref().unwrap_or("no message");
                message.lines().for_each(|line| self.line("error", line));
            }
            None => {}
        }
        if !body.attachments.is_empty() {
            let name = |json: &str| json.trim_matches('"').to_owned();
            let pairs = body
                .attachments
                .iter()
                .map(|(key, value)| format!("{}: {value}", name(key)));
            let pairs: Vec<_> = pairs.collect();
            self.json("attachments", &pairs.join(", "));
        }
        self.damage(seen);
    }

    fn exception(&mut self, thrown: &Thrown, value: &str) {
        let class = thrown
            .class
            .as_deref()
            .unwrap_or("something that is no object");
        let message = thrown
            .message
            .as_deref()
            .map(|message| format!(": {message}"));
        self.line(
            "exception",
            &format!("{class}{}", message.unwrap_or_default()),
        );
        let Some(trace) = trace::of(value) else {
            return self.json("as a value", value);
        };
        for (name, value) in &trace.fields {
            self.json("with", &format!("{name}: {value}"));
        }
        for line in trace.lines.iter().take(MOST_LINES) {
            self.line("  at", line);
        }
        if let Some(more @ 1..) = trace.lines.len().checked_sub(MOST_LINES) {
            self.line("", &format!("... {more} more"));
        }
    }

    fn damage(&mut self, seen: &Seen) {
        let body_len = seen.head.body_len;
        if let Some(error) = seen.body.broken {
            let at = seen.offset_in_frame(error);
            self.line(
                "BROKEN",
                &format!("{} at byte {at}: {}", error.what(), error.kind()),
            );
        }
        if let Some(around) = &seen.around {
            self.line("", &hex(around));
        }
        if let Some(present) = seen.cut {
            self.line(
                "BROKEN",
                &format!("{present} of {body_len} bytes of the body are there"),
            );
        }
        if seen.is_too_long {
            let text = format!("a body of {body_len} bytes is above the limit (--max-body)");
            self.line("BROKEN", &text);
        }
        if seen.body.is_unread {
            let serialization = seen.head.serialization;
            let length = bytes(u64::from(body_len));
            self.line("body", &format!("{length}; {serialization} is not read"));
        }
    }

    fn line(&mut self, label: &str, text: &str) {
        let text = self.cut(text);
        let _ = writeln!(self.out, "    {label:12} {}", one_line(text));
    }

    fn json(&mut self, label: &str, json: &str) {
        let _ = write!(self.out, "    {label:12} ");
        let json = self.cut(json);
        push_visible(self.out, &json);
        self.out.push('\n');
    }

    fn cut(&self, text: &str) -> String {
        match text.char_indices().nth(self.longest) {
            Some((end, _)) if self.longest > 0 => {
                let left = text[end..].chars().count();
                format!("{} … ({left} more characters)", &text[..end])
            }
            _ => text.into(),
        }
    }
}

fn called(call: &Call) -> String {
    let mut text = format!("{} {}", call.service(), call.method);
    match &call.parameters {
        Some(types) => {
            let _ = write!(text, "({})", types.join(", "));
        }
        None if call.dubbo.is_empty() => {}
        None => text.push_str("(...)"),
    }
    if let Some(method) = &call.generic_method {
        let _ = write!(text, ", which is {method}");
    }
    if let Some(path) = &call.path {
        let _ = write!(text, ", path {path}");
    }
    if !call.dubbo.is_empty() && call.dubbo != "2.0.2" {
        let _ = write!(text, ", Dubbo {}", call.dubbo);
    }
    text
}

/// `05 48 >49< 00`
fn hex(around: &Around) -> String {
    let byte = |byte: &u8| format!("{byte:02x}");
    let mut words: Vec<_> = around.before.iter().map(byte).collect();
    words.push(match around.behind.first() {
        Some(wrong) => format!(">{wrong:02x}<"),
        None => ">end<".into(),
    });
    words.extend(around.behind.iter().skip(1).map(byte));
    words.join(" ")
}

/// What is wrong with a bare value.
pub(crate) fn broken(out: &mut String, error: Error, around: &Around) {
    let _ = writeln!(out, "BROKEN {error}");
    let _ = writeln!(out, "       {}", hex(around));
}
