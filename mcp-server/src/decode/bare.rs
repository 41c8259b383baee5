//! `--hessian2`, `--jsonb`: values without a frame around them.

use std::io::Write;

use dubbo_codec::{Error, Limits, hessian2, jsonb};

use super::tell::Around;
use super::{Ended, Failed, json, text};
use crate::cli::{Decode, DecodeOutput};

/// Values, one a line, and what is wrong behind them.
pub(super) fn run(
    asked: &Decode,
    bytes: &[u8],
    limits: &Limits,
    out: &mut dyn Write,
) -> Result<Ended, Failed> {
    let (values, broken) = match asked.hessian2 {
        true => hessian(bytes, limits),
        false => match jsonb::decode(bytes, limits) {
            Ok(value) => (vec![value.to_json()], None),
            Err(error) => (Vec::new(), Some(error)),
        },
    };
    let mut told = String::new();
    for value in values {
        json::push_visible(&mut told, &value);
        told.push('\n');
    }
    if let Some(error) = broken {
        match asked.output {
            DecodeOutput::Text => text::broken(&mut told, error, &Around::new(bytes, error)),
            DecodeOutput::Json => json::broken(&mut told, error),
        }
    }
    out.write_all(told.as_bytes()).map_err(Failed::Output)?;
    out.flush().map_err(Failed::Output)?;
    Ok(match broken {
        None => Ended::Done,
        Some(_) => Ended::Broken,
    })
}

fn hessian(bytes: &[u8], limits: &Limits) -> (Vec<String>, Option<Error>) {
    let read = hessian2::decode_readable(bytes, usize::MAX, limits);
    let (error, part) = match read.broken {
        Some((error, part)) => (Some(error), part),
        None => (None, None),
    };
    let values = read.values.into_iter().chain(part);
    (read.graph.to_json_each(values), error)
}
