//! What the tests share: recorded frames, and values as the text that the oracles answer.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "every test binary uses a part of it, and a failed unwrap is a failed test"
)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use dubbo_codec::Text;
use dubbo_codec::hessian2::{Graph, Node, NodeId, Value};

/// A line of `fixtures/frames`.
pub struct Recorded {
    pub file: String,
    pub case: String,
    pub side: char,
    pub bytes: Vec<u8>,
    pub meaning: String,
}

/// Consumer and provider of one version, and of two.
const FILES: [&str; 13] = [
    "dubbo-2.6.12.tsv",
    "dubbo-2.7.23.tsv",
    "dubbo-3.1.11.tsv",
    "dubbo-3.2.16.tsv",
    "dubbo-3.3.6.tsv",
    "dubbo-2.6.12-to-2.7.23.tsv",
    "dubbo-2.6.12-to-3.3.6.tsv",
    "dubbo-2.7.23-to-3.2.16.tsv",
    "dubbo-3.1.11-to-2.6.12.tsv",
    "dubbo-3.2.16-to-2.7.23.tsv",
    "dubbo-3.2.16-to-3.3.6.tsv",
    "dubbo-3.3.6-to-2.6.12.tsv",
    "dubbo-3.3.6-to-3.2.16.tsv",
];

/// All recorded frames.
pub fn recorded() -> Vec<Recorded> {
    let frames: Vec<Recorded> = FILES.into_iter().flat_map(read).collect();
    assert!(frames.len() > 600, "only {} recorded frames", frames.len());
    frames
}

/// The frames of one file of `fixtures/frames`.
pub fn read(file: &str) -> Vec<Recorded> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/frames");
    let lines = std::fs::read_to_string(dir.join(file)).expect("a fixture");
    let parse = |line: &str| {
        let [case, side, frame, meaning] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{file}: not four columns: {line}");
        };
        Recorded {
            file: file.into(),
            case: case.into(),
            side: side.chars().next().unwrap(),
            bytes: unhex(frame),
            meaning: meaning.into(),
        }
    };
    lines.lines().map(parse).collect()
}

/// The frames of one case of one version.
pub fn case(version: &str, case: &str, side: char) -> Vec<u8> {
    let file = format!("dubbo-{version}.tsv");
    let found = recorded()
        .into_iter()
        .find(|r| r.file == file && r.case == case && r.side == side);
    found
        .unwrap_or_else(|| panic!("no frame {case} {side} in {file}"))
        .bytes
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes()
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[a, b]| digit(*a) << 4 | digit(*b))
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        write!(all, "{byte:02x}").unwrap();
        all
    })
}

/// Text in quotes, all but plain ASCII as `\uXXXX`.
pub fn quote(text: Text<'_>) -> String {
    let mut all = String::from("\"");
    for unit in text.units() {
        match u8::try_from(unit) {
            Ok(c @ (b'"' | b'\\')) => all.extend(['\\', c as char]),
            Ok(c @ 0x20..0x7f) => all.push(c as char),
            _ => write!(all, "\\u{unit:04x}").unwrap(),
        }
    }
    all + "\""
}

/// Values as `HessianOracle.java` shows them.
#[derive(Default)]
pub struct Show {
    seen: HashMap<NodeId, usize>,
}

impl Show {
    pub fn value<'a>(&mut self, graph: &Graph<'a>, value: Value<'a>) -> String {
        enum Step<'a> {
            Value(Value<'a>),
            Verbatim(String),
        }
        let mut out = String::new();
        let mut todo = vec![Step::Value(value)];
        while let Some(step) = todo.pop() {
            let value = match step {
                Step::Verbatim(text) => {
                    out.push_str(&text);
                    continue;
                }
                Step::Value(value) => value,
            };
            match value {
                Value::Null => out.push('N'),
                Value::Bool(value) => out.push(if value { 'T' } else { 'F' }),
                Value::Int(value) => write!(out, "{value}").unwrap(),
                Value::Long(value) => write!(out, "{value}L").unwrap(),
                Value::Double(value) => write!(out, "d{:016x}", value.to_bits()).unwrap(),
                Value::Date(millis) => write!(out, "t{millis}").unwrap(),
                Value::String(text) => out.push_str(&quote(text)),
                Value::Binary(binary) => write!(out, "x{}", hex(&binary.to_cow())).unwrap(),
                Value::Node(id) => {
                    if let Some(number) = self.seen.get(&id) {
                        write!(out, "@{number}").unwrap();
                        continue;
                    }
                    self.seen.insert(id, self.seen.len());
                    let mut steps = Vec::new();
                    let (class, open, close) = match graph.node(id).expect("a node of the graph") {
                        Node::List { class, items } => {
                            for (place, item) in items.iter().enumerate() {
                                let before = if place == 0 { "" } else { "," };
                                steps.push(Step::Verbatim(before.into()));
                                steps.push(Step::Value(*item));
                            }
                            (class, '[', ']')
                        }
                        Node::Map { class, entries } => {
                            for (place, [key, value]) in entries.iter().enumerate() {
                                let before = if place == 0 { "" } else { "," };
                                steps.push(Step::Verbatim(before.into()));
                                steps.push(Step::Value(*key));
                                steps.push(Step::Verbatim("=".into()));
                                steps.push(Step::Value(*value));
                            }
                            (class, '{', '}')
                        }
                        Node::Object {
                            class,
                            names,
                            fields,
                        } => {
                            for (place, (name, value)) in names.iter().zip(fields).enumerate() {
                                let before = if place == 0 { "" } else { "," };
                                let name = quote(*name);
                                let name = &name[1..name.len() - 1];
                                steps.push(Step::Verbatim(format!("{before}{name}=")));
                                steps.push(Step::Value(*value));
                            }
                            (Some(class), '(', ')')
                        }
                    };
                    out.extend(class.map(quote));
                    out.push(open);
                    todo.push(Step::Verbatim(close.into()));
                    todo.extend(steps.into_iter().rev());
                }
            }
        }
        out
    }
}
