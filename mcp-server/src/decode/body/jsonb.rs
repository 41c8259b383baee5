//! Values in JSONB: each behind its length, up to the first that is wrong.

use dubbo_codec::Limits;
use dubbo_codec::jsonb::{self, Value};

use super::{Json, Rest, Thrown};

/// `count` values, and attachments behind them.
pub(super) fn rest(bytes: &[u8], count: usize, has_attachments: bool, limits: &Limits) -> Rest {
    let mut rest = Rest::default();
    let mut at = 0;
    while rest.broken.is_none()
        && rest.values.len() < count + usize::from(has_attachments)
        && let Some(write) = write(bytes, at)
    {
        match jsonb::decode(write, limits) {
            Ok(Value::Object(entries)) if rest.values.len() == count => {
                rest.attachments = entries
                    .iter()
                    .map(|[key, value]| pair(key, value))
                    .collect();
                break;
            }
            Ok(value) => {
                rest.thrown = thrown(&value);
                rest.values.push(value.to_json());
            }
            Err(error) => rest.broken = Some(error.shifted(at + LENGTH)),
        }
        at += LENGTH + write.len();
    }
    rest.values.truncate(count);
    rest
}

/// Bytes of a length.
const LENGTH: usize = 4;

/// The value behind the length at `at`, if all of it is there.
fn write(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (length, behind) = bytes.get(at..)?.split_first_chunk::<LENGTH>()?;
    behind.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn pair(key: &Value<'_>, value: &Value<'_>) -> (Json, Json) {
    let name = match key {
        Value::String(_) => key.to_json(),
        other => serde_json::Value::from(other.to_json()).to_string(),
    };
    (name, value.to_json())
}

fn thrown(value: &Value<'_>) -> Thrown {
    let Value::Typed(class, value) = value else {
        return Thrown::default();
    };
    let mut thrown = Thrown {
        class: Some(class.to_string()),
        ..Thrown::default()
    };
    if let Value::Object(fields) = &**value {
        for field in fields {
            match field {
                [Value::String(name), Value::String(text)] if *name == "detailMessage" => {
                    thrown.message = Some(text.to_string());
                }
                [Value::String(name), Value::Int(code)] if *name == "code" => {
                    thrown.code = Some(*code);
                }
                _ => {}
            }
        }
    }
    thrown
}
