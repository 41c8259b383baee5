//! What the fuzz targets make of their input: pieces, each of a kind, that come one after the other.
//!
//! ```text
//! kind and times (1 byte), length (2 bytes), so many bytes | kind ...      the last may be shorter
//! ```
//! Frames of either protocol get the length that they have: else nearly every change of a byte would be
//! one more way to lose step, and nothing behind it would be tried.

/// A piece.
#[derive(Debug)]
pub struct Piece<'i> {
    /// 0 to 7.
    pub kind: u8,
    times: u8,
    data: &'i [u8],
}

/// Cuts an input into its pieces.
pub fn pieces(mut input: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        let ([first, l0, l1], rest) = input.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes([*l0, *l1])).min(rest.len());
        let (data, rest) = rest.split_at(len);
        input = rest;
        Some(Piece { kind: first & 7, times: first >> 3, data })
    })
}

impl Piece<'_> {
    /// The bytes as they are.
    pub fn bytes(&self) -> &[u8] {
        self.data
    }

    /// A Dubbo frame: flags, status, id, body. Repeated ones differ in the lowest byte of their id.
    pub fn dubbo(&self) -> Vec<u8> {
        let mut head = [0; 10];
        let (given, body) = self.data.split_at(self.data.len().min(10));
        head[..given.len()].copy_from_slice(given);
        let mut frames = vec![];
        for time in 0..=self.times {
            frames.extend([0xda, 0xbb]);
            frames.extend(&head[..9]);
            frames.push(head[9].wrapping_add(time));
            frames.extend((body.len() as u32).to_be_bytes());
            frames.extend(body);
        }
        frames
    }

    /// An HTTP/2 frame: type, flags, stream, payload. Repeated ones are of one stream after the other,
    /// but those of the connection.
    pub fn http2(&self) -> Vec<u8> {
        let mut head = [0; 3];
        let (given, payload) = self.data.split_at(self.data.len().min(3));
        head[..given.len()].copy_from_slice(given);
        let [kind, flags, stream] = head;
        let mut frames = vec![];
        for time in 0..=self.times {
            let stream = u32::from(stream) + if stream == 0 { 0 } else { 2 * u32::from(time) };
            frames.extend(&(payload.len() as u32).to_be_bytes()[1..]);
            frames.extend([kind % 12, flags]);
            frames.extend(stream.to_be_bytes());
            frames.extend(payload);
        }
        frames
    }

    /// Milliseconds, up to 10 minutes.
    pub fn millis(&self) -> u64 {
        self.data.iter().take(3).fold(0, |all, byte| all << 8 | u64::from(*byte)) % 600_000
    }
}

/// That bytes for the Dubbo side are whole frames.
pub fn check_dubbo(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let head = dubbo_codec::FrameHead::parse(bytes).expect("a frame").expect("a whole head");
        bytes = bytes.get(head.frame_len()..).expect("a whole frame");
    }
}

/// That bytes for the HTTP/2 side are whole frames of a length that every peer takes.
pub fn check_http2(bytes: &[u8]) {
    let mut bytes = bytes.strip_prefix(dubbo_proxy_filter::http2::PREFACE).unwrap_or(bytes);
    while let Some(([l0, l1, l2, kind, ..], _)) = bytes.split_first_chunk::<9>() {
        let len = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
        assert!(len <= 16_384 && *kind <= 9, "{len} bytes of type {kind}");
        bytes = bytes.get(9 + len..).expect("a whole frame");
    }
    assert!(bytes.is_empty(), "a whole head");
}
