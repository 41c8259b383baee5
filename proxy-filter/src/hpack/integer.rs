//! Integers with a prefix of some bits, RFC 7541 section 5.1.

/// Reads the integer whose prefix is the low `bits` of the first byte, and moves `block` behind it.
/// `None` if the block ends inside of it or it is 2^32 or more: nothing that HPACK counts is.
pub(super) fn read(block: &mut &[u8], bits: u32) -> Option<u32> {
    let (first, mut rest) = block.split_first()?;
    let most = (1_u32 << bits) - 1;
    let prefix = u32::from(*first) & most;
    if prefix < most {
        *block = rest;
        return Some(prefix);
    }
    let mut value = u64::from(prefix);
    // Five bytes hold 35 bits; a sixth can only add zeros or overflow.
    for shift in [0, 7, 14, 21, 28] {
        let (byte, after) = rest.split_first()?;
        rest = after;
        value += u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            *block = rest;
            return u32::try_from(value).ok();
        }
    }
    None
}

/// Appends `value` behind the bits of `first` that are not the prefix.
pub(super) fn write(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let most = (1_usize << bits) - 1;
    if value < most {
        out.push(first | value as u8);
        return;
    }
    out.push(first | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541, C.1, and the bounds of what is read.
    #[test]
    fn examples() {
        for (value, bits, bytes) in [
            (10, 5, &[0x0a][..]),
            (1337, 5, &[0x1f, 0x9a, 0x0a]),
            (42, 8, &[0x2a]),
            (u32::MAX, 7, &[0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut written = vec![];
            write(&mut written, 0, bits, value as usize);
            assert_eq!(written, bytes);
            let mut block = bytes;
            assert_eq!(read(&mut block, bits), Some(value));
            assert!(block.is_empty());
            for cut in 0..bytes.len() {
                assert_eq!(read(&mut &bytes[..cut], bits), None, "{cut}");
            }
        }
        for too_large in [
            &[0x7f, 0x81, 0xff, 0xff, 0xff, 0x0f][..],
            &[0x7f, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
        ] {
            assert_eq!(read(&mut &too_large[..], 7), None);
        }
    }
}
