//! Hessian 2 against programs that were not made from Java's: hessian.js and dubbo-go-hessian2.
//!
//! What is written here they read, and what they write of it is read here, with the same meaning.
//! Where they cannot, `deviations.rs` says why: such values are left out of what is made at random,
//! and each has a test of its own that fails once the program no longer departs.

use std::cell::RefCell;

use dubbo_codec::Limits;
use dubbo_codec::hessian2::{self, Encoder, Graph, Value};
use proptest::collection::vec;
use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, TestRunner};

use super::deviations::{Deviation, GO_1_10, GO_1_12, HESSIAN_JS};
use super::loose;
use super::process::Oracle;
use super::recorded::{Show, hex, recorded, unhex};
use super::values;

/// A program, what it keeps of values, and where it departs.
struct Foreign {
    oracle: Oracle,
    text: for<'g, 'a, 'v> fn(&'g Graph<'a>, &'v [Value<'a>]) -> String,
    deviations: &'static [Deviation],
}

fn exact<'a>(graph: &Graph<'a>, values: &[Value<'a>]) -> String {
    let mut show = Show::default();
    let texts = values.iter().map(|value| show.value(graph, *value));
    texts.collect::<Vec<_>>().join(" ")
}

fn hessian_js() -> Foreign {
    Foreign {
        oracle: Oracle::hessian_js(),
        text: exact,
        deviations: HESSIAN_JS,
    }
}

fn go(version: &str, deviations: &'static [Deviation]) -> Foreign {
    Foreign {
        oracle: Oracle::hessian_go(version),
        text: loose::shown,
        deviations,
    }
}

impl Foreign {
    fn decoded(&self, bytes: &[u8]) -> String {
        let (graph, values) = hessian2::decode(bytes, &Limits::default()).expect("values");
        (self.text)(&graph, &values)
    }

    /// What it reads, and what is read here of what it writes.
    fn there_and_back(&mut self, bytes: &[u8]) -> [Result<String, String>; 2] {
        let read = self.oracle.ask('D', bytes);
        let written = self.oracle.ask('R', bytes);
        [read, written.map(|again| self.decoded(&unhex(&again)))]
    }

    fn values_at_random(self) {
        let deviations = self.deviations;
        let trees = vec(values::tree(), 1..4).prop_map(move |mut trees| {
            for deviation in deviations {
                trees
                    .iter_mut()
                    .for_each(|tree| tree.change(deviation.avoid));
            }
            trees
        });
        let foreign = RefCell::new(self);
        let mut runner = TestRunner::new(Config {
            cases: 400,
            failure_persistence: None,
            ..Config::default()
        });
        let result = runner.run(&trees, |trees| {
            let (graph, values) = values::graph(&trees);
            let mut encoder = Encoder::new(&graph);
            values.iter().for_each(|value| encoder.value(*value));
            let bytes = encoder.into_bytes();
            let mut foreign = foreign.borrow_mut();
            let meaning = (foreign.text)(&graph, &values);
            let [read, written] = foreign.there_and_back(&bytes);
            assert_eq!(read.as_deref(), Ok(&*meaning), "{}", hex(&bytes));
            assert_eq!(written.as_deref(), Ok(&*meaning), "{}", hex(&bytes));
            Ok(())
        });
        result.unwrap();
    }

    /// Every body that Dubbo sent, but for those in which a deviation is to be expected.
    fn recorded_bodies(mut self, at_least: usize) {
        let (mut same, mut departed) = (0, 0);
        let hessian2 = |bytes: &[u8]| bytes[2] & 0x1f == 2;
        for r in recorded().into_iter().filter(|r| hessian2(&r.bytes)) {
            let body = &r.bytes[16..];
            let meaning = self.decoded(body);
            // What it misreads it cannot write either.
            let excused = |question: char| {
                let mut all = self.deviations.iter();
                all.any(|d| (d.question == 'D' || question == 'R') && (d.concerns)(&r.meaning))
            };
            let excused = ['D', 'R'].map(excused);
            let answers = self.there_and_back(body);
            for (answer, excused) in answers.iter().zip(excused) {
                assert!(
                    excused || *answer == Ok(meaning.clone()),
                    "{} {}: {}\nmeant {meaning}\nsays  {answer:?}",
                    r.file,
                    r.case,
                    hex(body)
                );
            }
            let both = answers.iter().all(|answer| *answer == Ok(meaning.clone()));
            same += usize::from(both);
            departed += usize::from(!both);
        }
        assert!(same >= at_least, "{same} the same, {departed} not");
    }

    fn departs_as_described(mut self) {
        for deviation in self.deviations {
            let answer = self.oracle.ask(deviation.question, &unhex(deviation.bytes));
            let says = match &answer {
                Ok(text) => format!("OK {text}"),
                Err(error) => format!("ERR {error}"),
            };
            assert!(
                says.starts_with(deviation.says),
                "{}: says {says:?}",
                deviation.what
            );
            // It is a deviation: what was meant is something else.
            let meant = self.decoded(&unhex(deviation.bytes));
            let understood = match (deviation.question, answer) {
                ('R', Ok(again)) => Ok(self.decoded(&unhex(&again))),
                (_, answer) => answer,
            };
            assert_ne!(understood, Ok(meant), "{}", deviation.what);
        }
    }
}

#[test]
fn hessian_js_values_at_random() {
    hessian_js().values_at_random();
}

#[test]
fn hessian_js_recorded_bodies() {
    hessian_js().recorded_bodies(450);
}

#[test]
fn hessian_js_departs_as_described() {
    hessian_js().departs_as_described();
}

#[test]
fn go_1_12_values_at_random() {
    go("1.12.5", GO_1_12).values_at_random();
}

#[test]
fn go_1_12_recorded_bodies() {
    go("1.12.5", GO_1_12).recorded_bodies(490);
}

#[test]
fn go_1_12_departs_as_described() {
    go("1.12.5", GO_1_12).departs_as_described();
}

#[test]
fn go_1_10_values_at_random() {
    go("1.10.2", GO_1_10).values_at_random();
}

#[test]
fn go_1_10_recorded_bodies() {
    go("1.10.2", GO_1_10).recorded_bodies(450);
}

#[test]
fn go_1_10_departs_as_described() {
    go("1.10.2", GO_1_10).departs_as_described();
}
