//! What the tests share: frames that real Dubbo peers sent, see `fixtures/frames/README.md`.

use std::path::Path;
use std::sync::OnceLock;

use dubbo_codec::{Frame, Limits};

/// A line of `fixtures/frames`.
pub(crate) struct Recorded {
    /// Of Dubbo, and what else is in the file's name.
    pub(crate) version: String,
    pub(crate) case: String,
    /// The consumer sent it.
    pub(crate) by_consumer: bool,
    pub(crate) bytes: Vec<u8>,
    /// What the library that wrote the body reads in it.
    pub(crate) meaning: String,
}

/// All of them.
pub(crate) fn all() -> &'static [Recorded] {
    static ALL: OnceLock<Vec<Recorded>> = OnceLock::new();
    ALL.get_or_init(read)
}

fn read() -> Vec<Recorded> {
    let mut frames = Vec::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/frames");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|kind| kind == "tsv"))
    {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let version = name.strip_prefix("dubbo-").unwrap_or(name);
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let mut columns = line.split('\t');
            let mut column = || columns.next().unwrap_or_default();
            let (case, side, frame, meaning) = (column(), column(), column(), column());
            frames.push(Recorded {
                version: version.into(),
                case: case.into(),
                by_consumer: side == "C",
                bytes: unhex(frame),
                meaning: meaning.into(),
            });
        }
    }
    assert!(frames.len() > 400, "only {} recorded frames", frames.len());
    frames
}

/// The first request of a case.
pub(crate) fn request(version: &str, case: &str) -> Vec<u8> {
    one(version, case, true)
}

/// The first response of a case.
pub(crate) fn response(version: &str, case: &str) -> Vec<u8> {
    one(version, case, false)
}

fn one(version: &str, case: &str, by_consumer: bool) -> Vec<u8> {
    let is = |r: &Recorded| (&*r.version, &*r.case, r.by_consumer) == (version, case, by_consumer);
    all()
        .iter()
        .find(|r| is(r))
        .unwrap_or_else(|| panic!("no frame {case} of {version}"))
        .bytes
        .clone()
}

pub(crate) fn frame(bytes: &[u8]) -> Frame<'_> {
    Frame::parse(bytes, &Limits::default())
        .unwrap()
        .expect("a whole frame")
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).unwrap() as u8;
    text.as_bytes()
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[a, b]| digit(*a) << 4 | digit(*b))
        .collect()
}

/// Headers, one a line.
pub(crate) fn lines(headers: &[(Vec<u8>, Vec<u8>)]) -> String {
    let line = |(name, value): &(Vec<u8>, Vec<u8>)| {
        format!(
            "{}: {}\n",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        )
    };
    headers.iter().map(line).collect()
}
