//! Calls with Rust's own types, against what Java's Dubbo wrote.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its input has failed"
)]

mod support;

use std::collections::{BTreeMap, HashMap};

use dubbo_codec::hessian2::{Date, Decimal, from_slice, from_slice_within, to_vec};
use dubbo_codec::{Call, Failure, Frame, Limits, Request, Response, Status};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename = "demo.Person")]
struct Person {
    boss: Option<Box<Self>>,
    born: Option<Date>,
    pay: Option<Decimal>,
    kind: Option<Kind>,
    tags: Option<Vec<String>>,
    age: i32,
    name: String,
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename = "demo.Person$Kind")]
enum Kind {
    #[serde(rename = "STAFF")]
    Staff,
    #[serde(rename = "GUEST")]
    Guest,
}

fn person(age: i32, name: &str) -> Person {
    Person {
        boss: None,
        born: None,
        pay: None,
        kind: None,
        tags: None,
        age,
        name: name.into(),
    }
}

/// The value of a recorded response.
fn returned<T: for<'de> Deserialize<'de>>(version: &str, case: &str) -> Result<T, String> {
    let bytes = support::case(version, case, 'P');
    let limits = Limits::default();
    let frame = Frame::parse(&bytes, &limits).unwrap().unwrap();
    let response = Response::parse(frame.head(), frame.body(), &limits).unwrap();
    response
        .value(&limits)
        .map_err(|failure| failure.to_string())
}

/// The encoded value of a recorded response.
fn returned_bytes(version: &str, case: &str) -> Vec<u8> {
    let bytes = support::case(version, case, 'P');
    let limits = Limits::default();
    let frame = Frame::parse(&bytes, &limits).unwrap().unwrap();
    let response = Response::parse(frame.head(), frame.body(), &limits).unwrap();
    match response.outcome() {
        dubbo_codec::Outcome::Value(encoded) => encoded.to_vec(),
        other => panic!("{other:?}"),
    }
}

const VERSIONS: [&str; 5] = ["2.6.12", "2.7.23", "3.1.11", "3.2.16", "3.3.6"];

#[test]
fn what_java_returned() {
    let people = vec![person(1, "x"), person(2, "yy"), person(3, "zzz")];
    for version in VERSIONS {
        let hello: String = returned(version, "hello").unwrap();
        assert_eq!(hello, "hello Wörld 世界 😀 from p1");
        assert_eq!(returned::<i32>(version, "add"), Ok(42));
        assert_eq!(returned::<u8>(version, "add"), Ok(42));
        assert_eq!(returned(version, "list"), Ok(people.clone()));
        assert_eq!(returned(version, "arr"), Ok(vec![3, 12, 7]));
        assert_eq!(returned(version, "arr"), Ok((3, 12_i64, 7_u16)));
        let sizes: HashMap<String, i64> = returned(version, "map").unwrap();
        let expected = [("size", 2), ("big", 1 << 30), ("one", 1)];
        assert_eq!(sizes, expected.map(|(key, n)| (key.into(), n)).into());
        assert_eq!(returned(version, "null"), Ok(None::<String>));
        assert_eq!(returned(version, "void"), Ok(()));
    }
}

#[test]
fn an_object_within_itself_is_an_error_with_its_place() {
    for version in VERSIONS {
        let bytes = returned_bytes(version, "pojo");
        let error = from_slice::<Person>(&bytes).unwrap_err();
        // The first object begins behind the definition of its class.
        let place = bytes.iter().position(|byte| *byte == 0x60).unwrap();
        assert_eq!(error.at(), Some(place), "{error}");
        assert!(error.to_string().ends_with("an object within itself"));
        // Who does not ask for the field gets the rest.
        #[derive(Deserialize, Debug, PartialEq)]
        struct Part<'a> {
            born: Date,
            pay: Decimal,
            kind: Kind,
            #[serde(borrow)]
            tags: Vec<&'a str>,
            age: i64,
        }
        let expected = Part {
            born: Date(1_700_000_000_123),
            pay: Decimal("12.50".into()),
            kind: Kind::Staff,
            tags: vec!["a", "中"],
            age: 34,
        };
        assert_eq!(from_slice(&bytes), Ok(expected), "{version}");
    }
}

/// Byte for byte what hessian-lite 4.0.4 wrote for the same values.
#[test]
fn what_java_would_have_written() {
    let people = [person(1, "x"), person(2, "yy"), person(3, "zzz")];
    assert_eq!(to_vec(&people).unwrap(), returned_bytes("3.3.6", "list"));
    assert_eq!(
        to_vec("hello Wörld 世界 😀 from p1").unwrap(),
        returned_bytes("3.3.6", "hello")
    );
    // The same object with itself taken out: the reference to it is a null.
    let mut bytes = returned_bytes("3.3.6", "pojo");
    let cycle = bytes.windows(2).position(|two| two == b"\x51\x90").unwrap();
    bytes.splice(cycle..cycle + 2, *b"N");
    let whole = Person {
        born: Some(Date(1_700_000_000_123)),
        pay: Some(Decimal("12.50".into())),
        kind: Some(Kind::Staff),
        tags: Some(vec!["a".into(), "中".into()]),
        ..person(34, "Ann")
    };
    assert_eq!(to_vec(&whole).unwrap(), bytes);
    assert_eq!(from_slice(&bytes), Ok(whole));
}

/// A consumer's own request, value for value.
#[test]
fn the_request_that_java_sent() {
    let recorded = support::case("3.3.6", "add", 'C');
    let limits = Limits::default();
    let frame = Frame::parse(&recorded, &limits).unwrap().unwrap();
    let java = Request::parse(frame.head(), frame.body(), &limits).unwrap();
    let mut call = Call::new("demo.GreetService", "add", "IJ");
    call.attachment("timeout", "5000");
    call.attachment("remote.application", "greet-consumer");
    call.argument(&40).unwrap().argument(&2_i64).unwrap();
    let ours = call.frame(frame.head().id).unwrap();
    let frame = Frame::parse(&ours, &limits).unwrap().unwrap();
    let request = Request::parse(frame.head(), frame.body(), &limits).unwrap();
    let all = |request: &Request<'_>| -> BTreeMap<String, String> {
        let texts = request.attachments();
        let text = |(key, value): (Option<dubbo_codec::Text<'_>>, _)| {
            (key.unwrap().into(), format!("{value:?}"))
        };
        texts.iter().map(text).collect()
    };
    assert_eq!(all(&request), all(&java));
    assert_eq!(request.peek(), java.peek());
    assert!(request.arguments().eq(java.arguments()));
    assert_eq!(frame.head().to_bytes()[..4], recorded[..4]);
}

/// A consumer's arguments: `byte[]`, `double`, `Integer`.
#[test]
fn the_arguments_that_java_sent() {
    struct Bytes([u8; 3]);
    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.serialize_bytes(&self.0)
        }
    }
    for version in VERSIONS {
        let recorded = support::case(version, "arr", 'C');
        let limits = Limits::default();
        let frame = Frame::parse(&recorded, &limits).unwrap().unwrap();
        let java = Request::parse(frame.head(), frame.body(), &limits).unwrap();
        let arguments: Vec<_> = java.arguments().collect();
        assert_eq!(from_slice(arguments[0]), Ok(vec![1_u8, 2, 3]));
        assert_eq!(from_slice::<&[u8]>(arguments[0]), Ok(&[1, 2, 3][..]));
        assert_eq!(from_slice(arguments[1]), Ok(12.25_f64));
        assert_eq!(from_slice(arguments[2]), Ok(Some(7)));
        let mut call = Call::new("demo.GreetService", "arr", "[BDLjava/lang/Integer;");
        call.argument(&Bytes([1, 2, 3])).unwrap();
        call.argument(&12.25).unwrap().argument(&Some(7)).unwrap();
        let ours = call.frame(1).unwrap();
        let frame = Frame::parse(&ours, &limits).unwrap().unwrap();
        let request = Request::parse(frame.head(), frame.body(), &limits).unwrap();
        assert!(request.arguments().eq(arguments), "{version}");
    }
}

#[test]
fn arguments_share_their_classes() {
    let mut call = Call::new("demo.S", "both", "Ldemo/Person;Ldemo/Person;");
    call.argument(&person(1, "a")).unwrap();
    assert!(call.frame(1).is_err(), "an argument is missing");
    call.argument(&person(2, "b")).unwrap();
    let frame = call.one_way().group("g").path("p").frame(-1).unwrap();
    let limits = Limits::default();
    let frame = Frame::parse(&frame, &limits).unwrap().unwrap();
    let request = Request::parse(frame.head(), frame.body(), &limits).unwrap();
    assert!(!frame.head().two_way);
    assert_eq!(request.target().group, Some("g".into()));
    assert_eq!(request.target().path, Some("p".into()));
    let second = request.arguments().nth(1).unwrap();
    assert_eq!(second[0], 0x60, "no second definition");
    assert!(Call::new("demo.S", "m", "X").frame(1).is_err());
}

#[test]
fn failures_are_told_apart() {
    let limits = Limits::default();
    let bytes = support::case("3.3.6", "fail", 'P');
    let frame = Frame::parse(&bytes, &limits).unwrap().unwrap();
    let response = Response::parse(frame.head(), frame.body(), &limits).unwrap();
    match response.value::<String>(&limits) {
        Err(Failure::Thrown(thrown)) => {
            assert_eq!(thrown.class, Some("demo.BizException".into()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        returned::<i32>("3.3.6", "fail").unwrap_err(),
        "demo.BizException: no luck 不"
    );
    let bytes = support::case("2.7.23", "not-found", 'P');
    let frame = Frame::parse(&bytes, &limits).unwrap().unwrap();
    let response = Response::parse(frame.head(), frame.body(), &limits).unwrap();
    match response.value::<i32>(&limits) {
        Err(Failure::Failed(Status::SERVICE_ERROR, Some(_))) => {}
        other => panic!("{other:?}"),
    }
    assert!(returned::<i32>("3.3.6", "hello").is_err());
    assert!(returned::<i8>("3.3.6", "map").is_err());
}

/// Types without data in Java, and the numbers' own ways.
#[test]
fn corners() {
    #[derive(Serialize)]
    #[serde(rename = "demo.Empty")]
    struct Empty;
    assert_eq!(
        to_vec(&[Empty, Empty]).unwrap(),
        b"\x7aC\x0ademo.Empty\x90\x60\x60"
    );
    assert_eq!(to_vec(&1.1_f32).unwrap(), b"\x5f\0\0\x04\x4c");
    assert_eq!(to_vec(&Date(60_000)).unwrap(), b"\x4b\0\0\0\x01");
    assert_eq!(
        to_vec(&(1_u32, 'x', None::<i32>)).unwrap(),
        b"\x7b\xe1\x01xN"
    );
    assert!(to_vec(&u64::MAX).is_err());
    #[derive(Serialize)]
    enum WithData {
        One(i32),
    }
    assert!(to_vec(&WithData::One(1)).is_err());
    // A sequence that does not know its length gets its head afterwards, before a class.
    #[derive(Serialize)]
    #[serde(rename = "demo.P")]
    struct P(#[serde(serialize_with = "unknown_length")] [Empty; 2]);
    fn unknown_length<S: serde::Serializer>(items: &[Empty; 2], s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut seq = s.serialize_seq(None)?;
        items
            .iter()
            .try_for_each(|item| seq.serialize_element(item))?;
        seq.end()
    }
    assert_eq!(
        to_vec(&P([Empty, Empty])).unwrap(),
        b"\x7aC\x0ademo.Empty\x90\x60\x60"
    );
    assert_eq!(from_slice::<Vec<u8>>(b"\x23abc"), Ok(b"abc".to_vec()));
    assert_eq!(from_slice::<char>(b"\x01\xe4\xb8\xad"), Ok('中'));
    assert!(from_slice::<String>(b"\x01\xed\xa0\xbd").is_err());
    assert!(from_slice::<(i32, i32)>(b"\x7b\x90\x90\x90").is_err());
    assert!(from_slice::<i32>(b"\x90\x90").is_err());
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(rename = "demo.Tree")]
struct Tree {
    left: Option<Box<Self>>,
    right: Option<Box<Self>>,
    leaf: Option<Leaf>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(rename = "demo.Leaf")]
struct Leaf {
    n: i32,
}

fn tree(depth: u32) -> Option<Box<Tree>> {
    let deeper = depth.checked_sub(1)?;
    Some(Box::new(Tree {
        left: tree(deeper),
        right: tree(deeper),
        leaf: Some(Leaf { n: depth as i32 }),
    }))
}

#[test]
fn a_class_within_itself_is_defined_once_and_first() {
    let tree = tree(4);
    let bytes = to_vec(&tree).unwrap();
    assert_eq!(bytes[..12], *b"C\x09demo.Tree\x93");
    assert_eq!(bytes.iter().filter(|byte| **byte == b'C').count(), 2);
    assert_eq!(from_slice(&bytes), Ok(tree));
}

/// Values that are met again are given again, up to a limit: this one would be 2^40 of them.
#[test]
fn laughter_is_bounded() {
    let mut bytes = vec![b'X', 0xc8, 42, 0x78];
    for n in 0..41_u8 {
        bytes.extend([0x7a, b'Q', 0x91 + n, b'Q', 0x91 + n]);
    }
    #[derive(Debug)]
    struct Count(u64);
    impl<'de> Deserialize<'de> for Count {
        fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            let inner = Vec::<Self>::deserialize(d)?;
            Ok(Self(1 + inner.iter().map(|count| count.0).sum::<u64>()))
        }
    }
    let error = from_slice::<Count>(&bytes).unwrap_err();
    assert!(error.to_string().contains("number of values"), "{error}");
    // A chain of references is as deep as nesting may be, and no deeper.
    let chain = |len: i32| {
        let mut chain = vec![b'X', b'I'];
        chain.extend(len.to_be_bytes());
        chain.push(0x78);
        for n in 1..len {
            chain.extend([0x79, b'Q', b'I']);
            chain.extend(n.to_be_bytes());
        }
        chain
    };
    let error = from_slice::<Count>(&chain(600)).unwrap_err();
    assert!(error.to_string().contains("too deeply"), "{error}");
    assert_eq!(
        from_slice::<Count>(&chain(127)).unwrap().0,
        1 + 127 * 128 / 2
    );
    let mut limits = Limits::default();
    limits.max_depth = 10;
    assert!(from_slice_within::<Count>(&chain(9), &limits).is_ok());
    assert!(from_slice_within::<Count>(&chain(10), &limits).is_err());
}

/// Whatever the bytes are, there is a value or an error.
#[test]
fn every_byte_takes_every_value() {
    for case in ["list", "pojo"] {
        let mut bytes = returned_bytes("3.3.6", case);
        let mut fits = 0;
        for at in 0..bytes.len() {
            let was = bytes[at];
            for value in 0..=255 {
                bytes[at] = value;
                let _ = from_slice::<Vec<Person>>(&bytes);
                let any = from_slice::<serde_json::Value>(&bytes);
                fits += usize::from(any.is_ok());
                if let Err(error) = any {
                    assert!(error.at().is_none_or(|at| at <= bytes.len()), "{error}");
                }
            }
            bytes[at] = was;
        }
        assert_eq!(fits > 1000, case == "list", "{case} {fits}");
    }
}
