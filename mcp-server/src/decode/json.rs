//! What is told, as JSON: one object a line.
//!
//! Values are JSON text already, so objects are put together as text. Whatever a terminal would not
//! show as it stands is escaped.

use std::fmt::{Display, Write as _};

use dubbo_codec::{Error, FrameKind};

use crate::decode::body::{Answer, Call};
use crate::decode::framing::Why;
use crate::decode::tell::{Item, Place, Seen, What, sniffed};
use crate::decode::text::instant;
use crate::line::is_unseen;

/// An object that is being written.
struct Object<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn new(out: &'o mut String) -> Self {
        out.push('{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// A member whose value is JSON: a number, or text that was made as JSON.
    fn raw(&mut self, name: &str, value: impl Display) {
        self.name(name);
        // Writing to a string does not fail.
        let _ = write!(self.out, "{value}");
    }

    fn text(&mut self, name: &str, value: impl Display) {
        self.name(name);
        self.out.push_str(&quoted(&value.to_string()));
    }

    fn some(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn filled(&mut self, name: &str, value: &str) {
        self.some(name, (!value.is_empty()).then_some(value));
    }

    fn array(&mut self, name: &str, values: &[String]) {
        self.raw(name, format_args!("[{}]", values.join(",")));
    }

    fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut inner = Object::new(self.out);
        fill(&mut inner);
        inner.end();
    }

    fn name(&mut self, name: &str) {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        self.out.push_str(&quoted(name));
        self.out.push(':');
    }

    fn end(self) {
        self.out.push('}');
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Appends the item and a line end.
pub(crate) fn item(out: &mut String, item: &Item) {
    let mut line = String::new();
    let mut object = Object::new(&mut line);
    match &item.what {
        What::Frame(seen) => frame(&mut object, &item.place, seen),
        What::Gap(missing) => {
            object.text("kind", "gap");
            place(&mut object, &item.place);
            object.raw("missing", missing);
        }
        What::Passed(bytes, why) => {
            object.text("kind", "passed");
            place(&mut object, &item.place);
            object.raw("length", bytes);
            object.text("reason", reason(*why));
        }
        What::NotDubbo(sniff) => {
            object.text("kind", "notDubbo");
            place(&mut object, &item.place);
            object.text("protocol", sniffed(*sniff));
        }
    }
    object.end();
    push_visible(out, &without_lone_surrogates(line));
    out.push('\n');
}

/// Half a character, which Java's strings may hold, is legal JSON that many readers refuse with the
/// whole line: U+FFFD stands for it.
fn without_lone_surrogates(line: String) -> String {
    if !line.contains("\\ud") {
        return line;
    }
    let (mut out, mut rest) = (String::with_capacity(line.len()), &*line);
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let unit = |text: &str| u16::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok();
        let low = || unit(escape.get(5..)?.strip_prefix('\\')?);
        let (text, len) = match unit(escape) {
            Some(0xd800..=0xdbff) if matches!(low(), Some(0xdc00..=0xdfff)) => (&escape[..11], 11),
            Some(0xd800..=0xdfff) => ("ufffd", 5),
            // Any other escape: its first character, which may be a backslash.
            _ => (&escape[..1], 1),
        };
        out.push('\\');
        out.push_str(text);
        rest = &escape[len..];
    }
    out + rest
}

/// Why bytes belong to no frame.
pub(crate) fn reason(why: Why) -> String {
    match why {
        Why::Wrong(error) => format!("{}: {}", error.what(), error.kind()),
        Why::Hole => "bytes before them are missing".into(),
        Why::Joined => "the connection was seen from its middle on".into(),
        Why::End => "the stream ends within a frame head".into(),
    }
}

/// In JSON text such characters stand in strings only, where they may be escaped.
pub(crate) fn push_visible(out: &mut String, json: &str) {
    for c in json.chars() {
        if is_unseen(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
}

fn place(object: &mut Object<'_>, place: &Place) {
    object.some("time", place.time.map(instant));
    if let Some((ends, to_server)) = &place.flow {
        object.object("connection", |connection| {
            connection.text("client", ends.client);
            connection.text("server", ends.server);
        });
        object.text(
            "direction",
            if *to_server { "toServer" } else { "toClient" },
        );
    }
    object.raw("offset", place.offset);
}

fn frame(object: &mut Object<'_>, at: &Place, seen: &Seen) {
    let (head, body) = (&seen.head, &seen.body);
    let is_request = head.kind == FrameKind::Request;
    object.text("kind", if is_request { "request" } else { "response" });
    object.raw("id", head.id);
    object.text("serialization", head.serialization);
    if is_request {
        object.raw("twoWay", head.two_way);
    } else {
        object.raw("status", head.status.0);
        object.some("statusName", head.status.name());
    }
    object.some("event", body.event.as_ref());
    place(object, at);
    object.raw("length", head.frame_len());
    let asked = seen.asked.as_ref();
    if let Some(call) = body
        .call
        .as_ref()
        .or_else(|| asked.and_then(|asked| asked.call.as_ref()))
    {
        self::call(object, call);
    }
    if let Some(elapsed) = seen.elapsed(at) {
        object.raw("elapsedMs", elapsed as f64 / 1e6);
    }
    if is_request && body.call.is_some() {
        object.array("arguments", &body.arguments);
    } else if !body.arguments.is_empty() {
        object.array("values", &body.arguments);
    }
    match &body.answer {
        Some(Answer::Value(value)) => object.raw("value", value),
        Some(Answer::Exception(thrown, value)) => object.object("exception", |exception| {
            exception.some("class", thrown.class.as_ref());
            exception.some("message", thrown.message.as_ref());
            if let Some(code) = thrown.code {
                exception.raw("code", code);
            }
            exception.raw("value", value);
        }),
        Some(Answer::Error(message)) => match message {
            Some(message) => object.text("error", message),
            None => object.raw("error", "null"),
        },
        None => {}
    }
    if !body.attachments.is_empty() {
        let pairs = body
            .attachments
            .iter()
            .map(|(name, value)| format!("{name}:{value}"));
        let pairs: Vec<_> = pairs.collect();
        object.raw("attachments", format_args!("{{{}}}", pairs.join(",")));
    }
    damage(object, seen);
}

fn call(object: &mut Object<'_>, call: &Call) {
    object.filled("interface", &call.interface);
    object.filled("group", &call.group);
    object.filled("version", &call.version);
    object.some("path", call.path.as_ref());
    object.text("method", &call.method);
    object.some("genericMethod", call.generic_method.as_ref());
    if let Some(types) = &call.parameters {
        let types: Vec<_> = types.iter().map(|name| quoted(name)).collect();
        object.array("parameters", &types);
    }
    object.filled("dubbo", &call.dubbo);
}

/// What of the frame could not be read.
fn damage(object: &mut Object<'_>, seen: &Seen) {
    if let Some(error) = seen.body.broken {
        object.object("broken", |broken| {
            broken.raw("offset", seen.offset_in_frame(error));
            broken.text("what", error.what());
            broken.text("reason", error.kind());
        });
    }
    if let Some(present) = seen.cut {
        object.object("cut", |cut| {
            cut.raw("present", present);
            cut.raw(
                "missing",
                (seen.head.body_len as usize).saturating_sub(present),
            );
        });
    }
    if seen.is_too_long {
        object.raw("tooLong", true);
    }
    if seen.body.is_unread {
        object.raw("unread", true);
    }
}

/// What is wrong with a bare value.
pub(crate) fn broken(out: &mut String, error: Error) {
    let mut object = Object::new(out);
    object.object("broken", |broken| {
        broken.raw("offset", error.at());
        broken.text("what", error.what());
        broken.text("reason", error.kind());
    });
    object.end();
    out.push('\n');
}
