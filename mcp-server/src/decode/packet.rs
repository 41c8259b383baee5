//! A packet's heads: from a captured frame to a segment of TCP.
//!
//! This file owns the link types; the heads themselves are read by etherparse. Lengths are believed
//! only as far as there are bytes: a packet that the capture cut short is a segment with its end cut
//! off.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice};

/// A segment of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) seq: u32,
    /// What the sender has of the other direction.
    pub(crate) ack: Option<u32>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) data: &'a [u8],
    /// Bytes behind `data` that were sent and not captured.
    pub(crate) cut: u32,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Tcp(Segment<'a>),
    /// A part of a packet that was cut on its way; parts are not put together.
    Fragment,
    /// No TCP, or not enough of it.
    Other,
    /// A link type that is not read.
    UnknownLink,
}

/// Reads the heads of a packet of that link type.
pub(crate) fn read(link: i32, bytes: &[u8]) -> Content<'_> {
    let behind = |head: usize| bytes.get(head..);
    let ether_type = |at: usize, head: usize| {
        let number = bytes.get(at..)?.first_chunk().copied()?;
        let number = EtherType(u16::from_be_bytes(number));
        Some(LaxSlicedPacket::from_ether_type(number, behind(head)?))
    };
    let packet = match link {
        1 => LaxSlicedPacket::from_ethernet(bytes).ok(),
        // BSD loopback: four bytes name the family, which the IP head says too.
        0 | 108 => behind(4).and_then(ip),
        // Raw IP, by the number in files and by those that some systems write instead.
        101 | 12 | 14 | 228 | 229 => ip(bytes),
        // Linux "cooked", versions 1 and 2.
        113 => ether_type(14, 16),
        276 => ether_type(0, 20),
        _ => return Content::UnknownLink,
    };
    packet.map_or(Content::Other, |packet| content(&packet))
}

fn ip(bytes: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    LaxSlicedPacket::from_ip(bytes).ok()
}

fn content<'a>(packet: &LaxSlicedPacket<'a>) -> Content<'a> {
    let (from, to, sent, fragmented) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let sent = usize::from(header.total_len()).checked_sub(header.slice().len());
            (
                IpAddr::from(header.source_addr()),
                IpAddr::from(header.destination_addr()),
                sent.filter(|_| ip.payload().incomplete),
                ip.payload().fragmented,
            )
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let extensions = ip.extensions().slice().len();
            let sent = usize::from(header.payload_length()).checked_sub(extensions);
            (
                IpAddr::from(header.source_addr()),
                IpAddr::from(header.destination_addr()),
                sent.filter(|_| ip.payload().incomplete),
                ip.payload().fragmented,
            )
        }
        _ => return Content::Other,
    };
    match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => Content::Tcp(segment(tcp, from, to, sent)),
        None if fragmented => Content::Fragment,
        _ => Content::Other,
    }
}

/// `sent` is the length of the head and data that the sender gave, where not all of it is there.
fn segment<'a>(tcp: &TcpSlice<'a>, from: IpAddr, to: IpAddr, sent: Option<usize>) -> Segment<'a> {
    let cut = sent.map_or(0, |sent| sent.saturating_sub(tcp.slice().len()));
    Segment {
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        seq: tcp.sequence_number(),
        ack: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        data: tcp.payload(),
        cut: u32::try_from(cut).unwrap_or(0),
    }
}
