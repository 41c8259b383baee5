//! Hessian 2: values written here are read there, and the other way round.

use std::cell::RefCell;

use dubbo_codec::hessian2::{self, ArrayLists, Encoder, Graph, Value};
use dubbo_codec::{Limits, Text};
use proptest::collection::vec;
use proptest::test_runner::{Config, TestRunner};

use super::process::{Oracle, hessian_lite};
use super::recorded::{Show, case, hex, recorded, unhex};
use super::values;

fn shown<'a>(graph: &Graph<'a>, values: &[Value<'a>]) -> String {
    let mut show = Show::default();
    values
        .iter()
        .map(|value| show.value(graph, *value))
        .collect::<Vec<_>>()
        .join(" ")
}

fn decoded(bytes: &[u8]) -> String {
    let (graph, values) = hessian2::decode(bytes, &Limits::default()).expect("a value");
    shown(&graph, &values)
}

fn encoded<'a>(graph: &Graph<'a>, values: &[Value<'a>]) -> Vec<u8> {
    let mut encoder = Encoder::new(graph);
    values.iter().for_each(|value| encoder.value(*value));
    encoder.into_bytes()
}

/// What is written here is read there as it was meant; what they write of it is the same bytes.
fn there_and_back(oracles: &mut [Oracle], bytes: &[u8], meaning: &str) {
    for oracle in oracles {
        assert_eq!(
            oracle.ask('D', bytes).as_deref(),
            Ok(meaning),
            "{}",
            hex(bytes)
        );
        let again = oracle.ask('R', bytes).expect("it was read");
        assert_eq!(decoded(&unhex(&again)), meaning, "{again}");
        assert_eq!(again, hex(bytes), "{meaning}");
    }
}

#[test]
fn values_at_random() {
    let oracles = RefCell::new(hessian_lite());
    let mut runner = TestRunner::new(Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&vec(values::tree(), 1..4), |trees| {
        let (graph, values) = values::graph(&trees);
        let (bytes, meaning) = (encoded(&graph, &values), shown(&graph, &values));
        assert_eq!(decoded(&bytes), meaning);
        there_and_back(&mut *oracles.borrow_mut(), &bytes, &meaning);
        Ok(())
    });
    result.unwrap();
}

/// Lengths at which a chunk or a lead byte changes.
#[test]
fn long_strings_and_binaries() {
    let mut oracles = hessian_lite();
    for len in [
        0, 31, 32, 1023, 1024, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x18000,
    ] {
        for fill in ["a", "é", "中"] {
            let text = fill.repeat(len);
            let graph = Graph::new();
            let value = Value::String(Text::new(&text));
            there_and_back(
                &mut oracles,
                &encoded(&graph, &[value]),
                &shown(&graph, &[value]),
            );
        }
        // Binaries are cut where Java's buffer ends: the meaning is compared, not the bytes.
        let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let value = Value::Binary(hessian2::Binary::new(&bytes));
        let ours = encoded(&Graph::new(), &[value]);
        for oracle in &mut oracles {
            assert_eq!(oracle.ask('D', &ours), Ok(format!("x{}", hex(&bytes))));
            let theirs = oracle.ask('R', &ours).expect("it was read");
            assert_eq!(decoded(&unhex(&theirs)), format!("x{}", hex(&bytes)));
        }
    }
    // A pair on the edge of a chunk is not split.
    let text = "a".repeat(0x7fff) + "😀b";
    let value = Value::String(Text::new(&text));
    there_and_back(
        &mut oracles,
        &encoded(&Graph::new(), &[value]),
        &shown(&Graph::new(), &[value]),
    );
}

/// With the switch for hessian-lite 3, a list without a class is what that library writes.
#[test]
fn array_lists_as_hessian_lite_3_writes_them() {
    let mut graph = Graph::new();
    let list = graph.list(None, &[Value::Int(1)]);
    let mut encoder = Encoder::new(&graph).array_lists(ArrayLists::Typed);
    encoder.value(list);
    let bytes = encoder.into_bytes();
    // The map of this recorded attachment was made by 2.7.23 and holds an ArrayList.
    let frame = case("2.7.23", "attobj", 'C');
    let wrote = b"\x71\x13java.util.ArrayList";
    assert!(frame.windows(wrote.len()).any(|window| window == wrote));
    assert_eq!(bytes, [&wrote[..], b"\x91"].concat());
}

/// Whatever is accepted here is accepted there, and means the same: broken bodies of real frames.
#[test]
fn nothing_is_accepted_that_java_refuses() {
    let mut oracles = hessian_lite();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let bodies: Vec<Vec<u8>> = recorded()
        .into_iter()
        .filter(|r| r.bytes[2] & 0x1f == 2 && r.bytes.len() < 600)
        .map(|r| r.bytes[16..].to_vec())
        .collect();
    let (mut accepted, mut refused) = (0, 0);
    while accepted < 2000 {
        let mut body = bodies[next(bodies.len())].clone();
        for _ in 0..=next(3) {
            let at = next(body.len().max(1));
            if body.is_empty() {
                break;
            }
            match next(3) {
                0 => body[at] = next(256) as u8,
                1 => body.insert(at, next(256) as u8),
                _ => drop(body.remove(at)),
            }
        }
        // Nothing at all is no value.
        if body.is_empty() {
            continue;
        }
        let Ok((graph, values)) = hessian2::decode(&body, &Limits::default()) else {
            refused += 1;
            continue;
        };
        accepted += 1;
        let meaning = shown(&graph, &values);
        for oracle in &mut oracles {
            assert_eq!(
                oracle.ask('D', &body).as_deref(),
                Ok(&*meaning),
                "{}",
                hex(&body)
            );
        }
    }
    assert!(refused > 1000, "{refused}");
}
