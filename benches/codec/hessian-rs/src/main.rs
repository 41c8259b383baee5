//! The crate hessian_rs: prints row, sample and nanoseconds.
//!
//! peek: the five strings; index and decode: every value, since there is no cheaper way to the
//! attachments; encode: a body from what was decoded.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hessian_rs::de::Deserializer;
use hessian_rs::{Value, to_vec};

fn main() {
    let file = std::env::args().nth(1).expect("a file of samples");
    for line in std::fs::read_to_string(file).expect("that file").lines() {
        let (name, frame) = line.split_once('\t').expect("two columns");
        let body = unhex(&frame[32..]);
        let values = decode(&body);
        assert!(values.len() >= 7, "strings, an argument, attachments");
        measure("peek", name, || black_box(read(&body, 5)).len());
        measure("index", name, || black_box(decode(&body)).len());
        measure("decode", name, || black_box(decode(&body)).len());
        // Its writer panics on a string of more than one chunk.
        let is_long = |value: &Value| value.as_str().is_some_and(|text| text.len() > 0x8000);
        if !values.iter().any(is_long) {
            measure("encode", name, || {
                let encoded = values
                    .iter()
                    .map(|value| to_vec(value).expect("bytes").len());
                encoded.sum()
            });
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| byte(pair).expect("digits")).collect()
}

fn read(body: &[u8], count: usize) -> Vec<Value> {
    let mut reader = Deserializer::new(black_box(body));
    (0..count)
        .map(|_| reader.read_value().expect("a value"))
        .collect()
}

/// The strings, as many arguments as they name, the attachments.
fn decode(body: &[u8]) -> Vec<Value> {
    let mut reader = Deserializer::new(black_box(body));
    let mut values: Vec<Value> = (0..5)
        .map(|_| reader.read_value().expect("a string"))
        .collect();
    let types = values[4].as_str().expect("types");
    // Those of the samples are classes and a long.
    let arguments = types.matches(';').count() + types.matches(";J").count();
    values.extend((0..=arguments).map(|_| reader.read_value().expect("a value")));
    values
}

/// The best of 30 runs of at least 5 ms.
fn measure(row: &str, sample: &str, mut once: impl FnMut() -> usize) {
    let mut timed = |rounds: u32| {
        let start = Instant::now();
        (0..rounds).for_each(|_| assert!(once() > 0));
        start.elapsed()
    };
    let mut rounds = 1;
    while timed(rounds) < Duration::from_millis(5) {
        rounds *= 2;
    }
    let best = (0..30).map(|_| timed(rounds)).min().expect("a run");
    let ns = best.as_secs_f64() * 1e9 / f64::from(rounds);
    println!("{row}\t{sample}\t{ns}");
}
