//! Reading the input in chunks, with what was read and not used kept in one piece.

use std::io::{self, Read};

use super::Failed;
use super::capture::MAX_BLOCK;

/// Bytes that are asked for at once.
const CHUNK: usize = 64 * 1024;

/// What was read of the input and not used yet.
pub(super) struct Buffer<'r> {
    input: &'r mut dyn Read,
    bytes: Vec<u8>,
    used: usize,
    /// Offset of the next byte in the input.
    pub(super) position: u64,
}

impl<'r> Buffer<'r> {
    pub(super) fn new(input: &'r mut dyn Read) -> Self {
        Self {
            input,
            bytes: Vec::new(),
            used: 0,
            position: 0,
        }
    }

    pub(super) fn held(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, len: usize) {
        self.used += len;
        self.position += len as u64;
    }

    /// Reads once; false at the end of the input.
    pub(super) fn more(&mut self) -> Result<bool, Failed> {
        self.bytes.drain(..self.used);
        self.used = 0;
        if self.bytes.len() > MAX_BLOCK {
            return Err(Failed::Input("has a block that is too long".into()));
        }
        let held = self.bytes.len();
        self.bytes.resize(held + CHUNK, 0);
        loop {
            match self.input.read(&mut self.bytes[held..]) {
                Ok(read) => {
                    self.bytes.truncate(held + read);
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failed::Input(format!("cannot be read: {error}"))),
            }
        }
    }
}
