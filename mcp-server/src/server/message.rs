//! One gRPC message as a chain of bytes that others hold too.
//!
//! Owns: the frame of a gRPC message (5 bytes: uncompressed, length) and how a response is put
//! together from its small fields and the set's own bytes. Nothing of a set is copied.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message as _;
use tonic::Status;

use crate::proto::DiscoveryResponse;
use crate::session::Response;

/// How much is handed to HTTP/2 at a time: enough to fill its windows, little enough to see a client
/// make progress.
const PIECE: usize = 512 * 1024;

/// Bytes in a row, in several pieces of memory.
#[derive(Debug, Default)]
pub(super) struct Rope {
    chunks: VecDeque<Bytes>,
    remaining: usize,
}

impl Rope {
    fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.remaining += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    /// The next piece to hand over; `None` at the end.
    pub(super) fn pop_piece(&mut self) -> Option<Self> {
        let mut piece = Self::default();
        while piece.remaining < PIECE {
            let Some(chunk) = self.chunks.pop_front() else {
                break;
            };
            self.remaining -= chunk.len();
            piece.push(chunk);
        }
        (piece.remaining > 0).then_some(piece)
    }
}

impl Buf for Rope {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.len().min(self.chunks.len());
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advance beyond the end");
        self.remaining -= count;
        while count > 0 {
            let Some(front) = self.chunks.front_mut() else {
                break;
            };
            let step = count.min(front.len());
            front.advance(step);
            count -= step;
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
    }
}

/// The response as one message. An error if it is longer than gRPC can say (4 GiB).
pub(super) fn response(response: &Response) -> Result<Rope, Status> {
    let fields = DiscoveryResponse {
        version_info: response.set.version().to_string(),
        type_url: response.type_url.to_string(),
        nonce: response.nonce.clone(),
        resources: Vec::new(),
    };
    let length = fields.encoded_len() + response.set.encoded_len();
    let mut rope = Rope::default();
    rope.push(head(&fields, length)?);
    response.set.chunks().for_each(|chunk| rope.push(chunk));
    Ok(rope)
}

/// A message that has no shared parts.
pub(super) fn small(message: &impl prost::Message) -> Result<Rope, Status> {
    let mut rope = Rope::default();
    rope.push(head(message, message.encoded_len())?);
    Ok(rope)
}

/// The frame of a message of this length, and its first fields.
fn head(fields: &impl prost::Message, length: usize) -> Result<Bytes, Status> {
    let Ok(announced) = u32::try_from(length) else {
        let text = format!("a response of {length} bytes is more than a gRPC message can hold");
        return Err(Status::resource_exhausted(text));
    };
    let mut head = BytesMut::with_capacity(5 + fields.encoded_len());
    head.put_u8(0);
    head.put_u32(announced);
    head.put_slice(&fields.encode_to_vec());
    Ok(head.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(parts: &[&'static str]) -> Rope {
        let mut rope = Rope::default();
        for part in parts {
            rope.push(Bytes::from_static(part.as_bytes()));
        }
        rope
    }

    #[test]
    fn a_rope_is_its_bytes_however_it_is_read() {
        let parts = ["ab", "", "cde", "f"];
        for step in 1..=6 {
            let mut rope = rope(&parts);
            let mut read: Vec<u8> = Vec::new();
            while rope.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let filled = rope.chunks_vectored(&mut slices);
                let mut seen: Vec<u8> = Vec::new();
                slices[..filled]
                    .iter()
                    .for_each(|slice| seen.extend_from_slice(slice));
                assert!(seen.starts_with(rope.chunk()));
                let count = step.min(seen.len());
                read.extend(&seen[..count]);
                rope.advance(count);
            }
            assert_eq!(read, b"abcdef");
        }
    }

    #[test]
    fn pieces_keep_order_and_miss_nothing() {
        let chunk = Bytes::from(vec![1; 200 * 1024]);
        let mut rope = Rope::default();
        (0..7).for_each(|_| rope.push(chunk.clone()));
        let mut lengths = Vec::new();
        while let Some(piece) = rope.pop_piece() {
            assert!(piece.chunks.iter().all(|c| c.as_ptr() == chunk.as_ptr()));
            lengths.push(piece.remaining() / 1024);
        }
        assert_eq!(lengths, [600, 600, 200]);
        assert_eq!(rope.remaining(), 0);
    }
}
