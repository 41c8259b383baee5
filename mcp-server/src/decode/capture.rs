//! Packet captures, pcap and pcapng, as packets.
//!
//! This file owns the two file formats (the parsing is pcap-parser's) and must not know what is in
//! a packet. It reads from a buffer that somebody else fills, and holds nothing but the list of
//! interfaces.

use pcap_parser::nom;
use pcap_parser::pcapng::{self, Block};
use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{PcapError, PcapHeader, parse_pcap_header};

/// Longest packet or block. Loopback captures have 64 KiB, with segmentation left to the network
/// card 256 KiB; tools write no more.
pub(crate) const MAX_BLOCK: usize = 16 * 1024 * 1024;
/// Most interfaces of a section.
const MAX_INTERFACES: usize = 4096;

/// Nanoseconds since 1970, UTC.
pub(crate) type Nanos = u64;

/// A packet as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    /// When; `None` where the capture does not say.
    pub(crate) time: Option<Nanos>,
    /// What it begins with: a number of the `LINKTYPE_` registry.
    pub(crate) link: i32,
    pub(crate) bytes: &'a [u8],
}

/// What the buffer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A packet, or something else (`None`), of that many bytes.
    Block(Option<Packet<'a>>, usize),
    /// More bytes are needed.
    More,
    /// Something that is wrong, with its length if what comes after it can be read.
    Broken(&'static str, Option<usize>),
}

/// The place in a capture.
#[derive(Debug)]
pub(crate) enum Capture {
    /// Before the head of the file.
    Start,
    Pcap(PcapHeader),
    Pcapng(Section),
}

/// A section of a pcapng file: its byte order and its interfaces.
#[derive(Debug, Default)]
pub(crate) struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: i32,
    /// Of its clock: ticks per second, and seconds to add.
    ticks: u128,
    offset: i64,
}

/// Whether a file that begins with these four bytes is a capture.
pub(crate) fn is_capture(first: &[u8]) -> bool {
    matches!(
        first,
        [0x0a, 0x0d, 0x0d, 0x0a, ..]
            | [0xa1, 0xb2, 0xc3, 0xd4, ..]
            | [0xd4, 0xc3, 0xb2, 0xa1, ..]
            | [0xa1, 0xb2, 0x3c, 0x4d, ..]
            | [0x4d, 0x3c, 0xb2, 0xa1, ..]
            | [0x34, 0xcd, 0xb2, 0xa1, ..]
    )
}

impl Capture {
    /// Reads what the buffer begins with.
    pub(crate) fn next<'a>(&mut self, bytes: &'a [u8]) -> Next<'a> {
        match self {
            Self::Start if bytes.len() < 4 => Next::More,
            Self::Start if bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) => {
                *self = Self::Pcapng(Section::default());
                Next::Block(None, 0)
            }
            Self::Start => match parse_pcap_header(bytes) {
                Ok((_, header)) => {
                    let len = header.size();
                    *self = Self::Pcap(header);
                    Next::Block(None, len)
                }
                Err(error) => wrong(&error, "the head of the capture is wrong"),
            },
            Self::Pcap(header) => next_pcap(header, bytes),
            Self::Pcapng(section) => section.next(bytes),
        }
    }
}

fn wrong<'a>(error: &nom::Err<PcapError<&[u8]>>, text: &'static str) -> Next<'a> {
    match error {
        nom::Err::Incomplete(_) => Next::More,
        nom::Err::Error(_) | nom::Err::Failure(_) => Next::Broken(text, None),
    }
}

fn next_pcap<'a>(header: &PcapHeader, bytes: &'a [u8]) -> Next<'a> {
    let parse = match (header.is_modified_format(), header.is_bigendian()) {
        (true, _) => pcap_parser::parse_pcap_frame_modified,
        (false, true) => pcap_parser::parse_pcap_frame_be,
        (false, false) => pcap_parser::parse_pcap_frame,
    };
    match parse(bytes) {
        Ok((rest, frame)) => {
            let fraction = match header.is_nanosecond_precision() {
                true => u64::from(frame.ts_usec),
                false => u64::from(frame.ts_usec) * 1000,
            };
            let packet = Packet {
                time: Some(u64::from(frame.ts_sec) * 1_000_000_000 + fraction),
                // The upper bits say how long the check sequence of frames is.
                link: header.network.0 & 0xffff,
                bytes: frame.data,
            };
            Next::Block(Some(packet), bytes.len() - rest.len())
        }
        Err(_) if bytes.len() >= MAX_BLOCK => Next::Broken("a packet is too long", None),
        Err(error) => wrong(&error, "a packet cannot be read"),
    }
}

impl Section {
    /// A block's length; the head of a section says in which order its bytes stand from there on.
    fn block_len(&mut self, head: &[u8; 12], is_section: bool) -> usize {
        let [_, _, _, _, l0, l1, l2, l3, order @ ..] = *head;
        if is_section {
            self.big_endian = order == [0x1a, 0x2b, 0x3c, 0x4d];
            self.interfaces.clear();
        }
        let len = match self.big_endian {
            true => u32::from_be_bytes([l0, l1, l2, l3]),
            false => u32::from_le_bytes([l0, l1, l2, l3]),
        };
        len as usize
    }

    fn next<'a>(&mut self, bytes: &'a [u8]) -> Next<'a> {
        let Some(head) = bytes.first_chunk::<12>() else {
            return Next::More;
        };
        let is_section = head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
        let len = self.block_len(head, is_section);
        if !(12..=MAX_BLOCK).contains(&len) || !len.is_multiple_of(4) {
            return Next::Broken("a block has a length that cannot be", None);
        }
        let Some(block) = bytes.get(..len) else {
            return Next::More;
        };
        let parse = match self.big_endian {
            true => pcapng::parse_block_be,
            false => pcapng::parse_block_le,
        };
        match parse(block) {
            Ok((_, Block::EnhancedPacket(packet))) => {
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                // Borrowed from the buffer, not from the block.
                let data = packet.data;
                let data = data.get(..packet.packet_data().len()).unwrap_or(data);
                self.packet(packet.if_id as usize, Some(ticks), data, len)
            }
            Ok((_, Block::SimplePacket(packet))) => {
                let data = packet.data;
                let data = data.get(..packet.packet_data().len()).unwrap_or(data);
                self.packet(0, None, data, len)
            }
            Ok((_, Block::InterfaceDescription(_))) if self.interfaces.len() >= MAX_INTERFACES => {
                Next::Broken("a section has too many interfaces", None)
            }
            Ok((_, Block::InterfaceDescription(described))) => {
                self.interfaces.push(Interface {
                    link: described.linktype.0,
                    ticks: ticks_per_second(described.if_tsresol),
                    offset: described.if_tsoffset,
                });
                Next::Block(None, len)
            }
            Ok(_) => Next::Block(None, len),
            Err(_) => Next::Broken("a block cannot be read", (!is_section).then_some(len)),
        }
    }

    fn packet<'a>(
        &self,
        interface: usize,
        ticks: Option<u64>,
        bytes: &'a [u8],
        len: usize,
    ) -> Next<'a> {
        let Some(interface) = self.interfaces.get(interface) else {
            return Next::Broken("a packet of an interface that was not described", Some(len));
        };
        let packet = Packet {
            time: ticks.and_then(|ticks| interface.time(ticks)),
            link: interface.link,
            bytes,
        };
        Next::Block(Some(packet), len)
    }
}

impl Interface {
    fn time(&self, ticks: u64) -> Option<Nanos> {
        let nanos = u128::from(ticks) * 1_000_000_000 / self.ticks;
        let offset = i128::from(self.offset) * 1_000_000_000;
        u64::try_from(nanos.cast_signed() + offset).ok()
    }
}

/// The option `if_tsresol`: a power of ten, or of two if the highest bit is set.
fn ticks_per_second(resolution: u8) -> u128 {
    let exponent = u32::from(resolution & 0x7f);
    match resolution & 0x80 {
        0 => 10_u128.saturating_pow(exponent),
        _ => 2_u128.saturating_pow(exponent),
    }
}
