//! Telling Dubbo from what shares its port: HTTP/1, HTTP/2, TLS and telnet.
//!
//! Dubbo 3 can serve several protocols on one port (its detectors: `da bb`, the HTTP/2 preface, an
//! HTTP/1 method, a TLS record), and every Dubbo port answers telnet commands.

/// What speaks first on a port that several protocols share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sniff {
    /// More bytes are needed to tell.
    NeedMore,
    /// A Dubbo frame.
    Dubbo,
    /// HTTP/1: a request line begins.
    Http1,
    /// HTTP/2's connection preface: Triple, gRPC.
    Http2,
    /// A TLS record with a handshake.
    Tls,
    /// Text that is not HTTP: Dubbo's telnet commands.
    Telnet,
    /// None of these.
    Other,
}

/// HTTP/2's connection preface, RFC 9113 section 3.4.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Methods of RFC 9110 section 9.1 and RFC 5789.
const HTTP_METHODS: [&[u8]; 9] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"TRACE ",
    b"PATCH ",
];

impl Sniff {
    /// Tells what a connection speaks from the first bytes that its client sent.
    ///
    /// A prefix of what it would be takes no decision: at most 24 bytes are asked for. The first
    /// byte of Dubbo, `da`, and of TLS, `16`, cannot begin any of the others.
    pub fn of(first: &[u8]) -> Self {
        let begins = |whole: &[u8]| first.iter().zip(whole).all(|(a, b)| a == b);
        let has = |whole: &[u8]| first.len() >= whole.len() && begins(whole);
        if first.is_empty() {
            return Self::NeedMore;
        }
        let known: [(&[u8], Self); 3] = [
            (&[0xda, 0xbb], Self::Dubbo),
            (&[0x16, 0x03], Self::Tls),
            (HTTP2_PREFACE, Self::Http2),
        ];
        for (whole, answer) in known
            .into_iter()
            .chain(HTTP_METHODS.map(|m| (m, Self::Http1)))
        {
            if has(whole) {
                return answer;
            }
        }
        if known.iter().any(|(whole, _)| begins(whole)) || HTTP_METHODS.iter().any(|m| begins(m)) {
            return Self::NeedMore;
        }
        match first[0] {
            // Telnet's IAC, line ends, and what a person types.
            0xff | b'\t' | b'\r' | b'\n' | 0x20..=0x7e => Self::Telnet,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sniffs_what_shares_the_port() {
        let tls = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";
        for (first, expected) in [
            (b"\xda\xbb\xc2" as &[u8], Sniff::Dubbo),
            (tls, Sniff::Tls),
            (HTTP2_PREFACE, Sniff::Http2),
            (b"GET / HTTP/1.1\r\n", Sniff::Http1),
            (b"PRI / HTTP/1.1\r\n", Sniff::Telnet),
            (b"POST /x HTTP/1.1\r\n", Sniff::Http1),
            (b"ls -l\r\n", Sniff::Telnet),
            (b"\r\n", Sniff::Telnet),
            (b"\xff\xfb\x01", Sniff::Telnet),
            (b"\0\0\0", Sniff::Other),
            (b"\xda\0", Sniff::Other),
            (b"\xda", Sniff::NeedMore),
            (b"\x16", Sniff::NeedMore),
            (b"P", Sniff::NeedMore),
            (b"PRI * HTTP/2.0\r\n", Sniff::NeedMore),
            (b"", Sniff::NeedMore),
        ] {
            assert_eq!(Sniff::of(first), expected, "{first:x?}");
        }
    }
}
