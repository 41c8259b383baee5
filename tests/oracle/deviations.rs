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
        what: "a map with a class is written as an object of that class",
        question: 'R',
        bytes: "4d03612e42016b915a",
        says: "OK 4303612e42",
        avoid: |tree| {
            if let Tree::Map(name, _) = tree {
                *name = None;
            }
        },
        concerns: |meaning| meaning.contains("\"{"),
    },
    Deviation {
        what: "a list, map or object that is a key already replaces the entry that it is the key of",
        question: 'D',
        bytes: "48784e51914e5a",
        says: "OK {[]=N}",
        avoid: |tree| {
            if let Tree::Map(_, entries) = tree {
                for (key, _) in entries
                    .iter_mut()
                    .filter(|(key, _)| matches!(key, Tree::Back(_)))
                {
                    *key = Tree::Null;
                }
            }
        },
        concerns: |_| false,
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
pub(super) const GO_1_12: &[Deviation] = &[
    LONE_SURROGATE,
    KEY,
    ARRAY,
    TYPED_MAP,
    Deviation {
        what: "an object without fields is not always counted: Go may give two of them one address",
        question: 'R',
        bytes: "7b4304702e433090604304702e43379061489051935a",
        says: "OK",
        avoid: |tree| {
            if let Tree::Object(class, _) = tree
                && *class % 7 == 0
            {
                *class += 1;
            }
        },
        concerns: |_| false,
    },
    Deviation {
        what: "an empty list is not counted among what can be referred to",
        question: 'R',
        bytes: "78795191",
        says: "OK 589058915190",
        avoid: |tree| {
            if let Tree::List(_, items) = tree
                && items.is_empty()
            {
                items.push(Tree::Null);
            }
        },
        concerns: |_| false,
    },
    Deviation {
        what: "of an exception only the fields of Throwable are kept",
        question: 'D',
        bytes: "4303702e45940a737461636b54726163651473757070726573736564457863657074696f6e730d64657461696c4d657373616765056361757365604e4e037768794e",
        says: "OK ?hessian.UnknownException",
        avoid: |_| {},
        concerns: |meaning| meaning.contains("stackTrace="),
    },
];

/// dubbo-go-hessian2 1.10.2.
pub(super) const GO_1_10: &[Deviation] = &[
    LONE_SURROGATE,
    KEY,
    ARRAY,
    TYPED_MAP,
    Deviation {
        what: "what is met again in an object is a copy of as much as was read of it",
        question: 'D',
        bytes: "4304702e4331910161605190",
        says: "OK {\"a\"={\"a\"=N}}",
        avoid: |tree| {
            if let Tree::Back(_) = tree {
                *tree = Tree::Null;
            }
        },
        concerns: |_| false,
    },
    Deviation {
        what: "a date that is no 64-bit number of nanoseconds is written as another",
        question: 'R',
        bytes: "4a0000ffffffffffff",
        says: "OK",
        avoid: |tree| {
            if let Tree::Date(millis) = tree {
                *millis %= 9_000_000_000_000;
            }
        },
        concerns: |_| false,
    },
    Deviation {
        what: "an object of a class that was not registered is an error",
        question: 'D',
        bytes: "4303702e589101616090",
        says: "ERR",
        avoid: |_| {},
        concerns: |meaning| meaning.contains("\"("),
    },
];

const LONE_SURROGATE: Deviation = Deviation {
    what: "a surrogate without its other half is a panic: it cannot be in a string of Go",
    question: 'D',
    bytes: "01eda0bd",
    says: "ERR panic",
    avoid: |tree| {
        if let Tree::String(units) = tree {
            let all = units
                .as_chunks::<2>()
                .0
                .iter()
                .map(|u| u16::from_be_bytes(*u));
            let text: String = char::decode_utf16(all).flatten().collect();
            *units = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        }
    },
    concerns: |_| false,
};

const KEY: Deviation = Deviation {
    what: "a list, map or object as key of a map is a panic: Go cannot hash it; of equal keys one remains",
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

const ARRAY: Deviation = Deviation {
    what: "an array must have the elements that its name says, which random values do not",
    question: 'D',
    bytes: "71045b696e740161",
    says: "ERR panic",
    avoid: |tree| {
        if let Tree::List(Some(name), _) = tree
            && name.starts_with('[')
        {
            *name = "java.util.T".into();
        }
    },
    concerns: |_| false,
};

const TYPED_MAP: Deviation = Deviation {
    what: "lists and maps do not share the names of their classes: a reference across is a panic or another class",
    question: 'D',
    bytes: "710154904d90016b925a",
    says: "ERR panic",
    avoid: |tree| {
        if let Tree::Map(name, _) = tree {
            *name = None;
        }
    },
    concerns: |meaning| meaning.contains("\"{"),
};
