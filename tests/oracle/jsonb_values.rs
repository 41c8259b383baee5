//! JSONB values at random, and the text by which two readers of them are compared.
//!
//! Left out are names of classes and paths to earlier values: what those mean is for the reader's own
//! classes to say. Recorded frames have both.

use std::fmt::Write as _;

use dubbo_codec::Text;
use dubbo_codec::jsonb::Value;
use proptest::collection::vec;
use proptest::prelude::*;

use super::recorded::{hex, quote};

/// A value that owns what it holds.
#[derive(Clone, Debug)]
pub(super) enum Plain {
    /// A value that borrows nothing.
    Number(Value<'static>),
    String(String),
    Binary(Vec<u8>),
    /// Two's complement, without superfluous bytes; the digits after the point of a decimal.
    Big(Vec<u8>, Option<i32>),
    Array(Vec<Self>),
    /// Names differ.
    Object(Vec<(String, Self)>),
}

pub(super) fn plain() -> impl Strategy<Value = Plain> {
    let text = prop_oneof![
        "[ -~]{0,60}",
        "\\PC{0,20}",
        "[\u{80}-\u{ff}]{0,50}",
        "[一-龥]{0,120}"
    ];
    let big = vec(any::<u8>(), 9..40).prop_map(|mut bytes| {
        // The first byte is needed: it is neither the sign's 00 nor its ff.
        bytes[0] = 0x12;
        bytes
    });
    let leaf = prop_oneof![
        4 => number().prop_map(Plain::Number),
        3 => text.prop_map(Plain::String),
        1 => vec(any::<u8>(), 0..300).prop_map(Plain::Binary),
        1 => (big, proptest::option::of(0..40_i32)).prop_map(|(b, scale)| Plain::Big(b, scale)),
    ];
    leaf.prop_recursive(4, 100, 20, |inner| {
        let name = prop_oneof!["[a-z]{1,50}", "\\PC{1,9}", "[一-龥]{1,30}"];
        let entries = proptest::collection::btree_map(name, inner.clone(), 0..8);
        prop_oneof![
            vec(inner, 0..20).prop_map(Plain::Array),
            entries.prop_map(|entries| Plain::Object(entries.into_iter().collect())),
        ]
    })
}

fn number() -> impl Strategy<Value = Value<'static>> {
    let long = prop_oneof![
        -20..60_i64,
        -3000..3000_i64,
        -300_000..300_000_i64,
        any::<i64>()
    ];
    let int = prop_oneof![-20..60, -3000..3000, -300_000..300_000, any::<i32>()];
    // The writer loses the sign of zero and the payload of NaN.
    let double = prop_oneof![any::<i16>().prop_map(f64::from), any::<f64>()];
    let double = double.prop_filter("has one text", |n| !n.is_nan() && n.to_bits() != 1 << 63);
    let float = prop_oneof![any::<i16>().prop_map(f32::from), any::<f32>()];
    let float = float.prop_filter("has one text", |n| !n.is_nan() && n.to_bits() != 1 << 31);
    let nanos = prop_oneof![0..1000_i32, 0..1_000_000_000_i32]
        .prop_map(|n| if n < 1000 { n * 1_000_000 } else { n });
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::Byte),
        any::<i16>().prop_map(Value::Short),
        int.prop_map(Value::Int),
        long.clone().prop_map(Value::Long),
        float.prop_map(Value::Float),
        double.prop_map(Value::Double),
        any::<u16>().prop_map(Value::Char),
        long.clone().prop_map(Value::BigLong),
        (long, 0..30_i32).prop_map(|(unscaled, scale)| Value::Decimal(unscaled, scale)),
        (-30_000_000_000_000_i64..30_000_000_000_000, nanos.clone())
            .prop_map(|(seconds, nanos)| Value::Instant(seconds, nanos)),
        calendar(nanos),
    ]
}

fn calendar(nanos: impl Strategy<Value = i32>) -> impl Strategy<Value = Value<'static>> {
    let date = (1..9999_i16, 1..=12_u8, 1..=28_u8);
    let time = (0..24_u8, 0..60_u8, 0..60_u8, nanos);
    (date, time, 0..4).prop_map(|(date, time, kind)| Value::Calendar {
        date: (kind != 1).then_some(date),
        time: (kind != 0).then_some(time),
        zone: (kind == 3).then_some(Text::new("UTC")),
    })
}

impl Plain {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Number(value) => value.clone(),
            Self::String(text) => Value::String(Text::new(text)),
            Self::Binary(bytes) => Value::Binary(bytes),
            Self::Big(bytes, None) => Value::BigInt(bytes),
            Self::Big(bytes, Some(scale)) => Value::BigDecimal(bytes, *scale),
            Self::Array(items) => Value::Array(items.iter().map(Self::value).collect()),
            Self::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(name, value)| [Value::String(Text::new(name)), value.value()])
                    .collect(),
            ),
        }
    }
}

/// A value as `JsonbOracle.java` shows it.
pub(super) fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "N".into(),
        Value::Bool(value) => if *value { "T" } else { "F" }.into(),
        Value::Byte(value) => format!("{value}b"),
        Value::Short(value) => format!("{value}s"),
        Value::Int(value) => value.to_string(),
        Value::Long(value) => format!("{value}L"),
        Value::Float(value) => format!("f{:08x}", value.to_bits()),
        Value::Double(value) => format!("d{:016x}", value.to_bits()),
        Value::Char(unit) => format!("c{unit:04x}"),
        Value::String(text) => quote(*text),
        Value::Binary(bytes) => format!("x{}", hex(bytes)),
        Value::BigLong(value) => format!("i{}", minimal(*value)),
        Value::BigInt(bytes) => format!("i{}", hex(bytes)),
        Value::Decimal(value, scale) => format!("m{}e{scale}", minimal(*value)),
        Value::BigDecimal(bytes, scale) => format!("m{}e{scale}", hex(bytes)),
        Value::Instant(seconds, nanos) => format!("t{seconds}.{nanos}"),
        Value::Calendar { date, time, zone } => {
            let mut text = String::new();
            if let Some((year, month, day)) = date {
                write!(text, "D{year}-{month}-{day}").unwrap();
            }
            if let Some((hour, minute, second, nano)) = time {
                write!(text, "C{hour}:{minute}:{second}.{nano}").unwrap();
            }
            text.extend(zone.map(quote));
            text
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(entries) => {
            let entry =
                |[name, value]: &[Value<'_>; 2]| format!("{}={}", shown(name), shown(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(","))
        }
        other => panic!("not among the values that are compared: {other:?}"),
    }
}

/// Two's complement in as many bytes as it needs, as `BigInteger.toByteArray` has it.
fn minimal(value: i64) -> String {
    let bytes = value.to_be_bytes();
    let superfluous =
        |pair: &&[u8]| (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80);
    let skip = bytes.windows(2).take_while(superfluous).count();
    hex(&bytes[skip..])
}
