//! The values of options: what each kind takes, and the sentence about what it does not take.

use std::ops::RangeInclusive;

use dubbo_codec::Serialization;
use serde_json::Value;

use super::SETTINGS;
use crate::header::AllowList;

/// A sentence about a value.
#[derive(Debug)]
pub(crate) struct Problem(pub(super) String);

/// A value as an error shows it.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        scalar => scalar.to_string(),
    }
}

fn expected<T>(what: &str, got: &Value) -> Result<T, Problem> {
    Err(Problem(format!("expected {what}, got {}", kind(got))))
}

pub(super) fn flag(place: &mut bool, value: &Value) -> Result<(), Problem> {
    match value {
        Value::Bool(flag) => *place = *flag,
        other => return expected("true or false", other),
    }
    Ok(())
}

/// False, true, or a word.
pub(super) fn flag_or<T: Copy>(
    place: &mut T,
    value: &Value,
    [no, yes]: [T; 2],
    (word, meaning): (&str, T),
) -> Result<(), Problem> {
    *place = match value {
        Value::Bool(false) => no,
        Value::Bool(true) => yes,
        Value::String(text) if text == word => meaning,
        other => return expected(&format!("true, false or `{word}`"), other),
    };
    Ok(())
}

/// Numbers of a Struct are doubles; one that is whole may stand there with a point.
fn whole(value: &Value) -> Option<u32> {
    let number = value.as_f64()?;
    (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number))
        .then_some(number as u32)
}

pub(super) fn number(
    place: &mut u32,
    value: &Value,
    range: RangeInclusive<u32>,
) -> Result<(), Problem> {
    match whole(value).filter(|number| range.contains(number)) {
        Some(number) => *place = number,
        None => {
            let what = format!("a whole number from {} to {}", range.start(), range.end());
            return expected(&what, value);
        }
    }
    Ok(())
}

pub(super) fn one_of<T: Copy>(
    place: &mut T,
    value: &Value,
    words: &[(&str, T)],
) -> Result<(), Problem> {
    let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
    match found {
        Some((_, meaning)) => *place = *meaning,
        None => {
            let all: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            return expected(&all.join(" or "), value);
        }
    }
    Ok(())
}

pub(super) fn allow_list(place: &mut AllowList, value: &Value) -> Result<(), Problem> {
    const WHAT: &str = "a list of names and `prefix*`";
    let Value::Array(items) = value else {
        return expected(WHAT, value);
    };
    let mut names = Vec::new();
    for item in items {
        match item {
            Value::String(name) => names.push(&**name),
            other => {
                return Err(Problem(format!(
                    "expected {WHAT}, got {} in it",
                    kind(other)
                )));
            }
        }
    }
    *place = AllowList::new(names).map_err(Problem)?;
    Ok(())
}

pub(super) fn serializations(place: &mut u32, value: &Value) -> Result<(), Problem> {
    const WHAT: &str = "names and numbers from 0 to 31";
    let Value::Array(items) = value else {
        return expected(&format!("a list of {WHAT}"), value);
    };
    let mut bits = 0;
    for item in items {
        let named = |id: &u8| {
            item.as_str()
                .is_some_and(|name| Serialization::new(*id).name() == Some(name))
        };
        let numbered = whole(item)
            .and_then(|id| u8::try_from(id).ok())
            .filter(|id| *id < 32);
        match numbered.or_else(|| (0..32).find(named)) {
            Some(id) => bits |= 1 << id,
            None => {
                return Err(Problem(format!(
                    "expected {WHAT}, got {} in it",
                    kind(item)
                )));
            }
        }
    }
    *place = bits;
    Ok(())
}

/// A sentence about a name that is no option: which one was meant, or which there are.
pub(super) fn unknown(prefix: &str, key: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for setting in SETTINGS {
        let Some(rest) = setting.name.strip_prefix(prefix) else {
            continue;
        };
        let name = rest.split('.').next().unwrap_or(rest);
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    let nearest = names.iter().map(|name| (distance(name, key), *name)).min();
    match nearest {
        Some((distance, name)) if distance * 2 < name.len() => {
            format!("no such option; did you mean `{prefix}{name}`?")
        }
        _ => {
            let all: Vec<_> = names
                .iter()
                .map(|name| format!("`{prefix}{name}`"))
                .collect();
            format!("no such option; there are {}", all.join(", "))
        }
    }
}

/// How many letters must be typed, taken away or exchanged to make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
