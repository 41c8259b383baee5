//! Where bytes are written to: a vector, or a place of its own for few bytes.

use alloc::vec::Vec;

/// Takes bytes, one after the other.
pub(crate) trait Out {
    fn byte(&mut self, byte: u8);
    fn bytes(&mut self, bytes: &[u8]);
}

impl Out for Vec<u8> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Keeps what fits in place, so that a small change to a frame takes nothing from the heap; when
/// there is more, all of it is in the vector.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    len: usize,
    inline: [u8; Self::INLINE],
    spill: Vec<u8>,
}

impl Scratch {
    const INLINE: usize = 112;

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self.inline.get(..self.len) {
            Some(bytes) => bytes,
            None => &self.spill,
        }
    }

    /// Overwrites bytes that were written; those that were not stay away.
    pub(crate) fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let all = match self.inline.get_mut(..self.len) {
            Some(bytes) => bytes,
            None => &mut self.spill,
        };
        if let Some(place) = all.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *place = bytes;
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            len: 0,
            inline: [0; Self::INLINE],
            spill: Vec::new(),
        }
    }
}

impl Out for Scratch {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.inline.get_mut(self.len..end) {
            Some(place) => place.copy_from_slice(bytes),
            None => {
                if let Some(first) = self.inline.get(..self.len) {
                    self.spill.extend_from_slice(first);
                }
                self.spill.extend_from_slice(bytes);
            }
        }
        self.len = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_in_place_and_on_the_heap() {
        for size in [1, 7, 111, 112, 113, 300] {
            let (mut scratch, mut vector) = (Scratch::default(), Vec::new());
            for n in 0..4 {
                let bytes: Vec<u8> = (0..size).map(|byte| (byte + n) as u8).collect();
                for out in [&mut scratch as &mut dyn Out, &mut vector] {
                    out.bytes(&bytes);
                    out.byte(0xff);
                }
                scratch.put(0, [n as u8; 2]);
                vector[..2].copy_from_slice(&[n as u8; 2]);
                assert_eq!(scratch.as_slice(), vector, "{size}");
            }
            let len = scratch.len();
            scratch.put(len - 1, [0; 4]);
            assert_eq!(scratch.as_slice(), vector, "nothing behind the end");
        }
    }
}
