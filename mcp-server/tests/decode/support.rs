//! The command as it is called, and the recorded frames.

use std::io::Write as _;

use clap::Parser as _;
use dubbo_mcp_server::cli::{Cli, Command};
use dubbo_mcp_server::decode::{self, Ended, Failed};
use serde_json::Value;

/// What the command printed, where, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ended: Result<Ended, String>,
    pub(crate) out: String,
    pub(crate) report: String,
}

impl Ran {
    /// The objects of `--output json`.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(parse).collect()
    }
}

/// `dubbo-mesh decode <words>` with this input.
pub(crate) fn run(words: &[&str], mut input: &[u8]) -> Ran {
    let words = ["dubbo-mesh", "decode"].iter().chain(words);
    let Command::Decode(asked) = Cli::try_parse_from(words).unwrap().command else {
        panic!("not decode")
    };
    let (mut out, mut report) = (Vec::new(), Vec::new());
    let ended = decode::run(&asked, &mut input, &mut out, &mut report);
    out.flush().unwrap();
    Ran {
        ended: ended.map_err(|failed| match failed {
            Failed::Input(why) => why,
            Failed::Output(error) => error.to_string(),
        }),
        out: String::from_utf8(out).unwrap(),
        report: String::from_utf8(report).unwrap(),
    }
}

/// A line of `fixtures/frames`.
pub(crate) struct Recorded {
    pub(crate) case: String,
    /// The consumer sent it.
    pub(crate) from_consumer: bool,
    pub(crate) bytes: Vec<u8>,
    /// What the library that wrote it reads in it; empty where that was not recorded.
    pub(crate) meaning: String,
}

/// The frames of a version of Dubbo, in the order in which they were sent.
pub(crate) fn recorded(version: &str) -> Vec<Recorded> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/frames");
    let text = std::fs::read_to_string(format!("{dir}/dubbo-{version}.tsv")).unwrap();
    let parse = |line: &str| {
        let mut columns = line.split('\t');
        Recorded {
            case: columns.next().unwrap().into(),
            from_consumer: columns.next().unwrap() == "C",
            bytes: unhex(columns.next().unwrap()),
            meaning: columns.next().unwrap_or_default().into(),
        }
    };
    let all: Vec<_> = text.lines().map(parse).collect();
    assert!(all.len() > 60, "{}", all.len());
    all
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The frames one after the other.
pub(crate) fn stream(frames: &[Recorded]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|frame| frame.bytes.clone())
        .collect()
}
