//! A consumer and a provider that speak Dubbo2 themselves: for calls by the hundred, and for what Dubbo
//! for Java would never do. Here is what both know: a call, an answer, a string.

mod consumer;
mod provider;

use dubbo_codec::hessian2::{Value, Writer, decode};
use dubbo_codec::{FrameHead, Limits, Outcome, Response, Text};

pub use consumer::WireConsumer;
pub use provider::{Deed, Methods, WireProvider};

/// A call of a method with one string.
#[derive(Debug, Clone)]
pub struct Call {
    interface: String,
    method: String,
    argument: String,
    attachments: Vec<(String, String)>,
    two_way: bool,
}

impl Call {
    /// `interface.method(argument)`, without version and group.
    #[must_use]
    pub fn new(interface: &str, method: &str, argument: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            method: method.to_owned(),
            argument: argument.to_owned(),
            attachments: Vec::new(),
            two_way: true,
        }
    }

    /// An attachment more.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.attachments.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Wants no response.
    #[must_use]
    pub fn one_way(mut self) -> Self {
        self.two_way = false;
        self
    }

    /// The frame, as Dubbo 2.7 and later write it.
    #[must_use]
    pub fn frame(&self, id: i64) -> Vec<u8> {
        let mut writer = Writer::new();
        for text in [
            "2.0.2",
            &self.interface,
            "0.0.0",
            &self.method,
            "Ljava/lang/String;",
            &self.argument,
        ] {
            writer.string(Text::new(text));
        }
        let path = [
            ("path", self.interface.as_str()),
            ("interface", &self.interface),
        ];
        writer.begin_map(None);
        for (key, value) in path
            .into_iter()
            .chain(self.attachments.iter().map(|(k, v)| (&k[..], &v[..])))
        {
            writer.string(Text::new(key));
            writer.string(Text::new(value));
        }
        writer.end_map();
        let body = writer.as_bytes();
        let flags = if self.two_way { 0xc2 } else { 0x82 };
        let mut frame = vec![0xda, 0xbb, flags, 0];
        frame.extend(id.to_be_bytes());
        frame.extend((body.len() as u32).to_be_bytes());
        frame.extend(body);
        frame
    }
}

/// How a call ended, as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status of the frame.
    pub status: u8,
    /// The value if it is a string, the class and message of an exception, or the message of a failure.
    pub text: String,
}

impl Answer {
    fn of(head: &FrameHead, body: &[u8]) -> Self {
        let text = match Response::parse(head, body, &Limits::default()) {
            Err(error) => format!("unreadable: {error}"),
            Ok(response) => match response.outcome() {
                Outcome::Null => "null".to_owned(),
                Outcome::Failed(text) => text.unwrap_or(Text::new("")).to_str_lossy().into_owned(),
                Outcome::Value(value) => string_of(value),
                Outcome::Exception(exception) => format!(
                    "{}: {}",
                    exception.class.unwrap_or(Text::new("")).to_str_lossy(),
                    exception.message.unwrap_or(Text::new("")).to_str_lossy()
                ),
            },
        };
        Self {
            status: head.status.0,
            text,
        }
    }
}

/// A value that is a string in Hessian2.
fn string_of(bytes: &[u8]) -> String {
    match decode(bytes, &Limits::default()) {
        Ok((_, values)) => match values.first() {
            Some(Value::String(text)) => text.to_str_lossy().into_owned(),
            other => format!("no string: {other:?}"),
        },
        Err(error) => format!("unreadable: {error}"),
    }
}

fn any_length() -> Limits {
    let mut limits = Limits::default();
    limits.max_body = i32::MAX as u32;
    limits
}
