//! Frames: those that real peers sent, and those that are made here.

use std::path::Path;

use dubbo_codec::{Assembler, Frame, FrameHead, Limits, Outcome, Response, set_request_id};

/// A line of `fixtures/frames`.
pub struct Recorded {
    pub case: String,
    pub by_consumer: bool,
    pub bytes: Vec<u8>,
}

/// The frames that peers of one version exchanged.
pub fn recorded(version: &str) -> Vec<Recorded> {
    let name = format!("../fixtures/frames/dubbo-{version}.tsv");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let line = |line: &str| {
        let mut columns = line.split('\t');
        let mut column = || columns.next().unwrap();
        Recorded {
            case: column().into(),
            by_consumer: column() == "C",
            bytes: unhex(column()),
        }
    };
    text.lines().map(line).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).unwrap() as u8;
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|[a, b]| digit(*a) << 4 | digit(*b))
        .collect()
}

/// The first frame of a case that the consumer, or the provider, sent.
pub fn one(version: &str, case: &str, by_consumer: bool) -> Vec<u8> {
    let mut all = recorded(version).into_iter();
    all.find(|r| r.case == case && r.by_consumer == by_consumer)
        .unwrap()
        .bytes
}

/// The same frame under another id.
pub fn with_id(mut frame: Vec<u8>, id: i64) -> Vec<u8> {
    set_request_id(&mut frame, id).unwrap();
    frame
}

pub fn head(frame: &[u8]) -> FrameHead {
    FrameHead::parse(frame).unwrap().unwrap()
}

/// The text of an error.
pub fn error_text(frame: &[u8]) -> String {
    let frame = Frame::parse(frame, &Limits::default()).unwrap().unwrap();
    let response = Response::parse(frame.head(), frame.body(), &Limits::default()).unwrap();
    match response.outcome() {
        Outcome::Failed(text) => text.unwrap().to_str_lossy().into_owned(),
        other => panic!("{other:?}"),
    }
}

/// A request of `hello` with an argument of this many characters, in Hessian 2, after its grammar.
pub fn request(id: i64, len: usize) -> Vec<u8> {
    let mut body = vec![];
    for text in [
        "2.0.2",
        "demo.GreetService",
        "0.0.0",
        "hello",
        "Ljava/lang/String;",
    ] {
        short(&mut body, text);
    }
    long(&mut body, id as u8, len);
    body.push(b'H');
    for (key, value) in [
        ("path", "demo.GreetService"),
        ("interface", "demo.GreetService"),
        ("version", "0.0.0"),
    ] {
        short(&mut body, key);
        short(&mut body, value);
    }
    body.push(b'Z');
    frame(0xc2, 0, id, &body)
}

/// A response with a string of this many characters.
pub fn response(id: i64, len: usize) -> Vec<u8> {
    let mut body = vec![0x91];
    long(&mut body, !id as u8, len);
    frame(0x02, 20, id, &body)
}

pub fn frame(flags: u8, status: u8, id: i64, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [
        &[0xda, 0xbb, flags, status][..],
        &id.to_be_bytes(),
        &len,
        body,
    ]
    .concat()
}

fn short(out: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 32);
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
}

fn long(out: &mut Vec<u8>, seed: u8, mut len: usize) {
    while len > 0x8000 {
        out.extend([b'R', 0x80, 0]);
        out.extend((0..0x8000).map(|at| letter(seed, len - at)));
        len -= 0x8000;
    }
    out.extend([b'S', (len >> 8) as u8, len as u8]);
    out.extend((0..len).map(|at| letter(seed, len - at)));
}

fn letter(seed: u8, at: usize) -> u8 {
    b'a' + ((at * 7 + at / 26 + usize::from(seed)) % 26) as u8
}

/// Cuts a stream into whole frames.
#[derive(Default)]
pub struct Cut(Assembler);

impl Cut {
    pub fn frames(&mut self, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut all = vec![];
        while let Some(frame) = self.0.next(&mut bytes).unwrap() {
            all.push(frame.bytes().to_vec());
        }
        all
    }

    pub const fn held(&self) -> usize {
        self.0.held()
    }
}

/// Numbers that look random and are the same each time.
pub struct Random(pub u64);

impl Random {
    pub const fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}
