//! What hessian-lite reads in a body, in the words of `tests/oracle/java/HessianOracle.java`, as the
//! JSON that the codec's rendering prescribes for it.
//!
//! `N T F 5 5L d.. t.. x.. "a" @3 [..] "type"[..] {k=v} "type"{k=v} "class"(field=v)`

use serde_json::{Map, Value, json};

/// A whole line of meaning: the words before the values, the values, the attachments.
pub(crate) fn body(meaning: &str) -> (Vec<Value>, Value) {
    let (_, rest) = meaning.split_once(' ').unwrap();
    let mut reader = Reader { rest };
    let (mut values, mut attachments) = (Vec::new(), Value::Null);
    while !reader.rest.is_empty() {
        reader.rest = reader.rest.trim_start();
        if let Some(behind) = reader.rest.strip_prefix("| ") {
            reader.rest = behind;
            attachments = reader.value();
        } else {
            values.push(reader.value());
        }
    }
    (values, attachments)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self) -> Value {
        match self.rest.as_bytes()[0] {
            b'"' => self.named(),
            b'[' => self.list(),
            b'{' => self.pairs('}', None),
            _ => self.word(),
        }
    }

    fn eat(&mut self, c: char) -> bool {
        let behind = self.rest.strip_prefix(c);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn text(&mut self) -> String {
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        let text = stream.next().unwrap().unwrap();
        self.rest = &self.rest[stream.byte_offset()..];
        text
    }

    /// A string, or the class of what follows.
    fn named(&mut self) -> Value {
        let text = self.text();
        match self.rest.chars().next() {
            Some('[') => json!({"$class": text, "$items": self.list()}),
            Some('{') => self.pairs('}', Some(text)),
            Some('(') => self.pairs(')', Some(text)),
            _ => text.into(),
        }
    }

    fn list(&mut self) -> Value {
        assert!(self.eat('['));
        let mut items = Vec::new();
        while !self.eat(']') {
            items.push(self.value());
            self.eat(',');
        }
        items.into()
    }

    fn pairs(&mut self, end: char, class: Option<String>) -> Value {
        self.rest = &self.rest[1..];
        let mut pairs = Map::new();
        pairs.extend(class.map(|class| ("$class".into(), class.into())));
        while !self.eat(end) {
            let name = match (end, self.rest.starts_with('"')) {
                (')', _) => {
                    let (name, behind) = self.rest.split_once('=').unwrap();
                    self.rest = behind;
                    name.to_owned()
                }
                (_, true) => {
                    let name = self.text();
                    assert!(self.eat('='));
                    name
                }
                (_, false) => {
                    let key = self.value().to_string();
                    assert!(self.eat('='));
                    key
                }
            };
            let value = self.value();
            pairs.insert(name, value);
            self.eat(',');
        }
        pairs.into()
    }

    fn word(&mut self) -> Value {
        let end = self.rest.find([',', ' ', ']', '}', ')', '=']);
        let (word, behind) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = behind;
        match (word.split_at(1), word) {
            (_, "N") => Value::Null,
            (_, "T") => true.into(),
            (_, "F") => false.into(),
            (("d", bits), _) => f64::from_bits(u64::from_str_radix(bits, 16).unwrap()).into(),
            // `date -u -d @1700000000.123`, the one date that was sent.
            (("t", "1700000000123"), _) => json!({"$date": "2023-11-14T22:13:20.123Z"}),
            (("x", digits), _) => json!({ "$bytes": digits }),
            (("@", node), _) => json!({"$ref": node.parse::<u32>().unwrap()}),
            _ => word.trim_end_matches('L').parse::<i64>().unwrap().into(),
        }
    }
}
