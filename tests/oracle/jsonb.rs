//! JSONB: what is written here, fastjson2 reads as it read the original.

use std::cell::RefCell;

use dubbo_codec::{Limits, jsonb};
use proptest::test_runner::{Config, TestRunner};

use super::jsonb_values::{plain, shown};
use super::process::Oracle;
use super::recorded::{hex, recorded, unhex};

#[test]
fn values_written_here_are_read_there() {
    let mut oracle = Oracle::java("JsonbOracle", "dubbo-3.2.16");
    let mut asked = 0;
    for r in recorded().into_iter().filter(|r| r.bytes[2] & 0x1f == 23) {
        let mut body = &r.bytes[16..];
        for meaning in r.meaning.split(" ; ") {
            let (len, rest) = body.split_first_chunk::<4>().expect("a length");
            let (value, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
            body = rest;
            let value = jsonb::decode(value, &Limits::default()).expect("a value");
            // That library's dump cannot read every decimal: see the fixtures.
            if meaning != "~" {
                let ours = jsonb::encode(&value);
                assert_eq!(
                    oracle.ask('D', &ours).as_deref(),
                    Ok(meaning),
                    "{} {}",
                    r.file,
                    r.case
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 600, "{asked}");
}

/// What is written here fastjson2 reads with every kind kept apart, and what it writes of that is
/// read here as the same.
#[test]
fn values_at_random() {
    let oracle = RefCell::new(Oracle::java("JsonbOracle", "dubbo-3.2.16"));
    let mut runner = TestRunner::new(Config {
        cases: 1000,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&plain(), |plain| {
        let value = plain.value();
        let (bytes, meaning) = (jsonb::encode(&value), shown(&value));
        let mut oracle = oracle.borrow_mut();
        assert_eq!(
            oracle.ask('S', &bytes).as_deref(),
            Ok(&*meaning),
            "{}",
            hex(&bytes)
        );
        let again = unhex(&oracle.ask('R', &bytes).expect("it was read"));
        let again = jsonb::decode(&again, &Limits::default())
            .unwrap_or_else(|error| panic!("{error} in {}", hex(&again)));
        assert_eq!(shown(&again), meaning);
        Ok(())
    });
    result.unwrap();
}
