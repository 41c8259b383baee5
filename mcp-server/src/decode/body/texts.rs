//! Bodies of JSON texts and of MessagePack: all of them, or nothing.

use dubbo_codec::{
    AttachmentValue, Attachments, Limits, Outcome, Request, Response, Serialization, Text, jsonb,
    msgpack,
};

use super::{Answer, Body, Json, Rest, Thrown};

pub(super) fn request(request: &Request<'_>, limits: &Limits) -> Rest {
    let serialization = request.serialization();
    Rest {
        values: request
            .arguments()
            .map(|raw| value(serialization, raw, limits))
            .collect(),
        attachments: attachments(serialization, &request.attachments(), limits),
        ..Rest::default()
    }
}

pub(super) fn response(response: &Response<'_>, limits: &Limits) -> Body {
    let serialization = response.serialization();
    let value = |raw| value(serialization, raw, limits);
    let text = |text: Text<'_>| text.to_string();
    Body {
        answer: Some(match response.outcome() {
            Outcome::Value(raw) => Answer::Value(value(raw)),
            Outcome::Null => Answer::Value("null".into()),
            Outcome::Exception(exception) => {
                let thrown = Thrown {
                    class: exception.class.map(text),
                    message: exception.message.map(text),
                    code: exception.code,
                };
                Answer::Exception(thrown, value(exception.bytes))
            }
            Outcome::Failed(message) => Answer::Error(message.map(text)),
        }),
        attachments: attachments(serialization, &response.attachments(), limits),
        ..Body::default()
    }
}

/// A value as it is on the wire: with its length or line end, where the serialization has those.
fn value(serialization: Serialization, raw: &[u8], limits: &Limits) -> Json {
    if serialization == Serialization::MSGPACK {
        // An exception is two values, of which the first is its class.
        let values = msgpack::to_json(raw, limits).unwrap_or_default();
        return values
            .into_iter()
            .next_back()
            .unwrap_or_else(|| "null".into());
    }
    let raw = match raw {
        [0, _, _, _, json @ ..] => json,
        line => line,
    };
    let text = String::from_utf8_lossy(raw);
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => without_space(&text),
        // What some writers take for JSON: shown, but as text.
        Err(_) => string(text.trim()),
    }
}

/// The same JSON without space between its parts.
fn without_space(json: &str) -> Json {
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        let kept = in_string || !c.is_ascii_whitespace();
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        kept
    };
    json.chars().filter(is_kept).collect()
}

fn attachments(
    serialization: Serialization,
    attachments: &Attachments<'_, '_>,
    limits: &Limits,
) -> Vec<(Json, Json)> {
    let json = |value_of: AttachmentValue<'_>| match value_of {
        AttachmentValue::String(text) => self::text(text),
        AttachmentValue::Int(value) => value.to_string(),
        AttachmentValue::Long(value) => value.to_string(),
        AttachmentValue::Bool(value) => value.to_string(),
        AttachmentValue::Null => "null".into(),
        AttachmentValue::Other(raw) => value(serialization, raw, limits),
    };
    let name = |key: Option<Text<'_>>| text(key.unwrap_or(Text::new("?")));
    attachments
        .iter()
        .map(|(key, value)| (name(key), json(value)))
        .collect()
}

/// Lone surrogates survive in the codec's own rendering only.
fn text(text: Text<'_>) -> Json {
    jsonb::Value::String(text).to_json()
}

fn string(text: &str) -> Json {
    self::text(Text::new(text))
}
