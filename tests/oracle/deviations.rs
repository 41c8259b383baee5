//! Where hessian.js and dubbo-go-hessian2 depart from what Java reads and writes.
//!
//! Each entry has a witness, bytes that hessian-lite reads as they are meant, and what the program
//! says of it. None of this is followed here.

use super::values::Tree;

/// One of them.
pub(super) struct Deviation {
    /// What the program does, and why its answer cannot be compared.
    pub(super) what: &'static str,
    /// `D`: what it reads; `R`: what it writes.
    pub(super) question: char,
    /// The witness, hexadecimal.
    pub(super) bytes: &'static str,
    /// How the program's answer begins.
    pub(super) says: &'static str,
    /// Makes of a value one in which this does not occur.
    pub(super) avoid: fn(&mut Tree),
    /// Whether it is to be expected in a recorded frame of this meaning.
    pub(super) concerns: fn(&str) -> bool,
}

/// hessian.js 2.11.0.
pub(super) const HESSIAN_JS: &[Deviation] = &[
    Deviation {
        what: "a date beyond JavaScript's range of 8.64e15 ms is no date",
        question: 'D',
        bytes: "4a7fffffffffffffff",
        says: "OK tNaN",
        avoid: |tree| {
            if let Tree::Date(millis) = tree {
                *millis %= 8_640_000_000_000_000;
            }
        },
        concerns: |_| false,
    },
    Deviation {
        what: "a date of whole minutes that do not fit into 32 bits is written as if they did",
        question: 'R',
        bytes: "4a0000753000000000",
        says: "",
        avoid: |tree| {
            if let Tree::Date(millis) = tree
                && *millis % 60_000 == 0
                && i32::try_from(*millis / 60_000).is_err()
            {
                *millis += 1;
            }
        },
        concerns: |_| false,
    },
    Deviation {
        what: "a map with a class is written as an object of that class",
        question: 'R',
        bytes: "4d03612e42016b915a",
        says: "",
        avoid: |tree| {
            if let Tree::Map(name, _) = tree {
                *name = None;
            }
        },
        concerns: |meaning| meaning.contains("\"{"),
    },
    Deviation {
        what: "a list of the class java.util.ArrayList is written without it",
        question: 'R',
        bytes: "71136a6176612e7574696c2e41727261794c69737491",
        says: "OK 7991",
        avoid: |_| {},
        concerns: |meaning| meaning.contains("\"java.util.ArrayList\"["),
    },
];

/// dubbo-go-hessian2 1.12.5.
pub(super) const GO_1_12: &[Deviation] = &[LONE_SURROGATE, KEY];

/// dubbo-go-hessian2 1.10.2.
pub(super) const GO_1_10: &[Deviation] = &[LONE_SURROGATE, KEY];

const LONE_SURROGATE: Deviation = Deviation {
    what: "a surrogate without its other half cannot be in a string of Go",
    question: 'D',
    bytes: "01eda0bd",
    says: "OK \"\\ufffd",
    avoid: |tree| {
        if let Tree::String(units) = tree {
            let all = units.as_chunks::<2>().0.iter().map(|u| u16::from_be_bytes(*u));
            let text: String = char::decode_utf16(all).flatten().collect();
            *units = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        }
    },
    concerns: |_| false,
};

const KEY: Deviation = Deviation {
    what: "a list, map or object as key of a map is a panic: Go cannot hash it",
    question: 'D',
    bytes: "487990905a",
    says: "ERR panic",
    avoid: |tree| {
        if let Tree::Map(_, entries) = tree {
            for (n, (key, _)) in entries.iter_mut().enumerate() {
                *key = Tree::Int(n as i32);
            }
        }
    },
    concerns: |_| false,
};
