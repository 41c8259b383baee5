//! A stream is cut into the same frames however it arrives, and nothing is lost.
#![no_main]

use dubbo_codec::{Assembler, Frame, Limits, Piece, Sniff, Splitter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (stream, cuts) = input;
    let limits = || {
        let mut limits = Limits::default();
        limits.max_body = 64;
        limits
    };
    let _ = Sniff::of(&stream);
    // The frames that the stream holds, read from the front.
    let (mut expected, mut rest) = (Vec::new(), &stream[..]);
    let error = loop {
        match Frame::parse(rest, &limits()) {
            Ok(Some(frame)) => {
                expected.push(frame.bytes().to_vec());
                rest = &rest[frame.bytes().len()..];
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let (mut assembler, mut splitter) = (Assembler::new(limits()), Splitter::new(limits()));
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    let (mut whole_error, mut pieces_error) = (None, None);
    let (mut left, mut cuts) = (&stream[..], cuts.iter());
    while !left.is_empty() {
        let size = cuts.next().map_or(left.len(), |cut| usize::from(*cut) % 40 + 1).min(left.len());
        let (mut chunk, after) = left.split_at(size);
        let mut again = chunk;
        left = after;
        loop {
            match assembler.next(&mut chunk) {
                Ok(Some(frame)) => whole.push(frame.bytes().to_vec()),
                Ok(None) => break,
                Err(error) => {
                    whole_error = Some(error);
                    break;
                }
            }
        }
        assert!(assembler.held() <= 16 + 64);
        loop {
            match splitter.next(&mut again) {
                Ok(Some(Piece::Head(head))) => pieces.extend(head.to_bytes()),
                Ok(Some(Piece::Body { bytes, .. })) => pieces.extend(bytes),
                Ok(None) => break,
                Err(error) => {
                    pieces_error = Some(error);
                    break;
                }
            }
        }
    }
    assert_eq!(whole, expected);
    assert_eq!((whole_error, pieces_error), (error, error));
    assert!(pieces.starts_with(&expected.concat()) && stream.starts_with(&pieces));
});
