//! Captures of recorded frames: pcap-file writes the files, etherparse the heads.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dubbo_mcp_server::decode::Ended;
use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, Endianness, TsResolution};
use serde_json::{Value, json};

use crate::support::{Recorded, recorded, run, unhex};

/// One segment: when, which way, where in the stream, what.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) micros: u64,
    pub(crate) from_client: bool,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: &'static str,
    pub(crate) data: Vec<u8>,
}

/// A connection: handshake, the frames in segments of so many bytes, FINs.
#[derive(Clone, Copy)]
pub(crate) struct Talk {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) segment: usize,
}

pub(crate) fn talk(client: &str, server: &str, segment: usize) -> Talk {
    Talk {
        client: client.parse().unwrap(),
        server: server.parse().unwrap(),
        segment,
    }
}

impl Talk {
    pub(crate) fn segments(&self, messages: &[(bool, &[u8])]) -> Vec<Sent> {
        // Sequence numbers of both wrap on the way.
        let mut next = [0xffff_ff00_u32, 0xffff_fff0];
        let mut all: Vec<Sent> = Vec::new();
        let mut add = |from_client: bool, flags: &'static str, data: &[u8]| {
            let (own, other) = (usize::from(!from_client), usize::from(from_client));
            all.push(Sent {
                micros: 1_700_000_000_000_000 + all.len() as u64 * 1000,
                from_client,
                seq: next[own],
                ack: next[other],
                flags,
                data: data.to_vec(),
            });
            let len = data.len() as u32 + u32::from(flags.contains(['S', 'F']));
            next[own] = next[own].wrapping_add(len);
        };
        add(true, "S", b"");
        add(false, "SA", b"");
        add(true, "A", b"");
        for (from_client, bytes) in messages {
            for chunk in bytes.chunks(self.segment) {
                add(*from_client, "A", chunk);
            }
        }
        add(true, "FA", b"");
        add(false, "FA", b"");
        all
    }

    /// The packet of a segment, from its IP head on.
    pub(crate) fn ip(&self, sent: &Sent) -> Vec<u8> {
        let (from, to) = match sent.from_client {
            true => (self.client, self.server),
            false => (self.server, self.client),
        };
        let mut tcp = TcpHeader::new(from.port(), to.port(), sent.seq, 65_535);
        tcp.syn = sent.flags.contains('S');
        tcp.fin = sent.flags.contains('F');
        tcp.rst = sent.flags.contains('R');
        tcp.ack = sent.flags.contains('A');
        tcp.acknowledgment_number = sent.ack;
        let mut packet = Vec::new();
        builder(from.ip(), to.ip())
            .tcp_header(tcp)
            .write(&mut packet, &sent.data)
            .unwrap();
        packet
    }
}

fn builder(from: IpAddr, to: IpAddr) -> PacketBuilderStep<etherparse::IpHeaders> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), 64),
        _ => panic!("{from} and {to}"),
    }
}

/// The bytes before the IP head, by link type: as the LINKTYPE registry describes them.
fn link_head(link: u32, ip: &[u8]) -> Vec<u8> {
    let ether_type = if ip[0] >> 4 == 4 { "0800" } else { "86dd" };
    unhex(&match link {
        0 => if ip[0] >> 4 == 4 {
            "02000000"
        } else {
            "1e000000"
        }
        .to_owned(),
        108 => if ip[0] >> 4 == 4 {
            "00000002"
        } else {
            "0000001c"
        }
        .to_owned(),
        1 => format!("020000000001020000000002{ether_type}"),
        // An 802.1Q tag, and two of them.
        1001 => format!("0200000000010200000000028100002a{ether_type}"),
        1002 => format!("02000000000102000000000288a800078100002a{ether_type}"),
        113 => format!("0000000100060200000000010000{ether_type}"),
        276 => format!("{ether_type}0000000000020001000602000000000100 00").replace(' ', ""),
        _ => String::new(),
    })
}

pub(crate) fn pcap(link: u32, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let header = PcapHeader {
        datalink: DataLink::from(if link > 1000 { 1 } else { link }),
        endianness: Endianness::Big,
        snaplen: 1 << 20,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (micros, ip) in packets {
        let bytes = [link_head(link, ip), ip.clone()].concat();
        let time = Duration::from_micros(*micros);
        let packet = PcapPacket::new_owned(time, bytes.len() as u32, bytes);
        writer.write_packet(&packet).unwrap();
    }
    writer.into_writer()
}

fn pcapng(packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut writer = PcapNgWriter::with_endianness(Vec::new(), Endianness::Big).unwrap();
    // The first interface is another one.
    for link in [DataLink::LINUX_SLL, DataLink::ETHERNET] {
        let mut interface = InterfaceDescriptionBlock::new(link, 1 << 20);
        interface
            .options
            .push(InterfaceDescriptionOption::IfTsResol(9));
        writer.write_pcapng_block(interface).unwrap();
    }
    for (micros, ip) in packets {
        let bytes = [link_head(1, ip), ip.clone()].concat();
        let block = EnhancedPacketBlock {
            interface_id: 1,
            timestamp: Duration::from_micros(*micros),
            original_len: bytes.len() as u32,
            data: Cow::Owned(bytes),
            options: vec![],
        };
        writer.write_pcapng_block(block).unwrap();
    }
    writer.into_inner()
}

fn messages(frames: &[Recorded]) -> Vec<(bool, &[u8])> {
    frames
        .iter()
        .map(|frame| (frame.from_consumer, &*frame.bytes))
        .collect()
}

pub(crate) fn packets(talk: &Talk, sent: &[Sent]) -> Vec<(u64, Vec<u8>)> {
    sent.iter()
        .map(|sent| (sent.micros, talk.ip(sent)))
        .collect()
}

/// An object without what only a capture says.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    for name in ["time", "connection", "direction", "elapsedMs", "offset"] {
        object.as_object_mut().unwrap().remove(name);
    }
    object
}

/// What the frames say when each side's are read as a file: the same objects in any order.
fn expected(frames: &[Recorded]) -> Vec<Value> {
    let bytes: Vec<u8> = frames
        .iter()
        .flat_map(|frame| frame.bytes.clone())
        .collect();
    run(&["--output", "json"], &bytes)
        .objects()
        .iter()
        .map(bare)
        .collect()
}

fn found(capture: &[u8]) -> Vec<Value> {
    let ran = run(&["--output", "json"], capture);
    assert_eq!(ran.ended, Ok(Ended::Done), "{}\n{}", ran.report, ran.out);
    ran.objects()
}

#[test]
fn every_link_type_and_format_gives_the_same_frames() {
    let frames = recorded("3.2.16");
    let expected = expected(&frames);
    let v4 = talk("10.0.0.5:41234", "10.0.0.6:20880", 100);
    let v6 = talk("[fd00::5]:41234", "[fd00::6]:20880", 1400);
    for talk in [v4, v6] {
        let packets = packets(&talk, &talk.segments(&messages(&frames)));
        for link in [0, 1, 12, 101, 108, 113, 276, 1001, 1002] {
            let found: Vec<_> = found(&pcap(link, &packets)).iter().map(bare).collect();
            assert_eq!(found, expected, "link type {link}");
        }
        let found: Vec<_> = found(&pcapng(&packets)).iter().map(bare).collect();
        assert_eq!(found, expected, "pcapng");
    }
}

#[test]
fn a_capture_says_between_whom_and_when() {
    let frames: Vec<_> = recorded("2.7.23")
        .into_iter()
        .filter(|f| f.case == "add")
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 100);
    let found = found(&pcap(
        1,
        &packets(&talk, &talk.segments(&messages(&frames))),
    ));
    let connection = json!({"client": "10.0.0.5:41234", "server": "10.0.0.6:20880"});
    // Three segments of the handshake, two of the request (156 bytes), one of the response.
    let expected = [
        ("toServer", "2023-11-14T22:13:20.004000Z", None),
        ("toClient", "2023-11-14T22:13:20.005000Z", Some(1.0)),
    ];
    assert_eq!(found.len(), 2);
    for (object, (direction, time, elapsed)) in found.iter().zip(expected) {
        assert_eq!(object["connection"], connection);
        assert_eq!(object["direction"], direction);
        assert_eq!(object["time"], time);
        assert_eq!(object.get("elapsedMs").and_then(Value::as_f64), elapsed);
        assert_eq!(object["method"], "add");
        assert_eq!(object["offset"], 0);
    }
}

/// Nothing changes if segments come late, twice, or overlap: as a receiver would see it.
#[test]
fn disorder_changes_nothing() {
    let frames = recorded("3.3.6");
    let mut expected = expected(&frames);
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 97);
    let mut sent = talk.segments(&messages(&frames));
    let last = sent.len() - 2;
    for at in (3..last - 4).step_by(7) {
        sent.swap(at, at + 3);
        let mut copy = sent[at + 1].clone();
        copy.data.truncate(50);
        sent.push(copy);
        let (here, next) = (sent[at].clone(), sent[at + 1].clone());
        if here.from_client == next.from_client && here.seq.wrapping_add(97) == next.seq {
            let data = [here.data, next.data].concat();
            sent.insert(at, Sent { data, ..here });
        }
    }
    let mut found: Vec<_> = found(&pcap(1, &packets(&talk, &sent)))
        .iter()
        .map(bare)
        .collect();
    let id = |object: &Value| (object["id"].as_i64(), object["kind"].to_string());
    // A response may be complete before its request is.
    for object in expected.iter_mut().chain(&mut found) {
        if object["kind"] == "response" {
            for name in ["interface", "method", "version", "group"] {
                object.as_object_mut().unwrap().remove(name);
            }
        }
    }
    expected.sort_by_key(id);
    found.sort_by_key(id);
    assert_eq!(found, expected);
}

#[test]
fn a_missing_segment_is_a_gap_and_the_rest_is_read() {
    let frames: Vec<_> = recorded("2.7.23")
        .into_iter()
        .filter(|f| f.from_consumer)
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 100);
    let sent = talk.segments(&messages(&frames));
    // The second segment of the first frame, 193 bytes long.
    let kept: Vec<_> = sent
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != 4)
        .map(|(_, s)| s.clone())
        .collect();
    let ran = run(&["--output", "json"], &pcap(1, &packets(&talk, &kept)));
    assert_eq!(ran.ended, Ok(Ended::Broken));
    let found = ran.objects();
    assert_eq!(found.len(), frames.len() + 1);
    assert_eq!(found[0]["kind"], "gap");
    assert_eq!(
        (&found[0]["offset"], &found[0]["missing"]),
        (&json!(100), &json!(93))
    );
    assert_eq!(found[1]["cut"], json!({"present": 84, "missing": 93}));
    assert_eq!(found[1]["method"], "hello");
    let bare: Vec<_> = found[2..].iter().map(bare).collect();
    assert_eq!(bare, expected(&frames)[1..]);
}

#[test]
fn a_packet_that_was_cut_short_is_a_gap() {
    let frames: Vec<_> = recorded("2.7.23")
        .into_iter()
        .filter(|f| f.case == "hello")
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 1400);
    for link in [1, 101] {
        let mut packets = packets(&talk, &talk.segments(&messages(&frames)));
        // As `tcpdump -s` would: heads and the first 100 bytes of the 193.
        packets[3].1.truncate(140);
        let ran = run(&["--output", "json"], &pcap(link, &packets));
        let found = ran.objects();
        assert_eq!(ran.ended, Ok(Ended::Broken));
        assert_eq!(found[0]["missing"], 93);
        assert_eq!(found[1]["cut"], json!({"present": 84, "missing": 93}));
        assert_eq!(found[1]["method"], "hello");
        assert_eq!(found[2]["method"], "hello");
        assert_eq!(found[2]["elapsedMs"], 1.0);
        assert_eq!(found.len(), 3);
    }
}

#[test]
fn a_connection_that_was_joined_later_begins_at_its_next_frame() {
    let frames = recorded("2.7.23");
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 100);
    let sent = talk.segments(&messages(&frames));
    // From the second segment of the first request on.
    let found = found(&pcap(1, &packets(&talk, &sent[4..])));
    let whole: Vec<_> = found
        .iter()
        .filter(|object| object["kind"] != "passed")
        .collect();
    assert_eq!(whole.len(), frames.len() - 1);
    let server = json!({"client": "10.0.0.5:41234", "server": "10.0.0.6:20880"});
    assert!(whole.iter().all(|object| object["connection"] == server));
    assert_eq!(
        (&whole[0]["kind"], &whole[0]["id"]),
        (&json!("response"), &json!(0))
    );
}

#[test]
fn other_protocols_are_named_once() {
    let mut packets = Vec::new();
    for (port, first, answer) in [
        (
            8080,
            b"GET / HTTP/1.1\r\n\r\n" as &[u8],
            b"HTTP/1.1 200 OK\r\n\r\n" as &[u8],
        ),
        (
            50_051,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\0\0\0\x04\0\0\0\0\0",
        ),
        (
            443,
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
            b"\x16\x03\x03",
        ),
        (22, b"SSH-2.0-OpenSSH_9.6\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"),
        (3306, b"\0\0\0\x4a", b"\0\0\0\x01"),
    ] {
        let talk = talk("10.0.0.5:41234", &format!("10.0.0.6:{port}"), 5);
        let sent = talk.segments(&[(true, first), (false, answer), (true, first)]);
        packets.extend(self::packets(&talk, &sent));
    }
    let ran = run(&[], &pcap(1, &packets));
    let expected = "\
10.0.0.5:41234 > 10.0.0.6:8080 not Dubbo: HTTP/1
10.0.0.5:41234 > 10.0.0.6:50051 not Dubbo: HTTP/2 (Triple, gRPC)
10.0.0.5:41234 > 10.0.0.6:443 not Dubbo: TLS
10.0.0.5:41234 > 10.0.0.6:22 not Dubbo: text
10.0.0.5:41234 > 10.0.0.6:3306 not Dubbo: unknown
";
    let without_times: String = ran
        .out
        .lines()
        .map(|line| format!("{}\n", line.split_once(' ').unwrap().1))
        .collect();
    assert_eq!(
        (without_times, ran.ended),
        (expected.into(), Ok(Ended::Done))
    );
    assert!(
        ran.report.ends_with("5 connections, 0 of them Dubbo\n"),
        "{}",
        ran.report
    );
}

/// Ports are used again: a new handshake is a new connection.
#[test]
fn two_connections_between_the_same_ends_are_two() {
    let frames: Vec<_> = recorded("2.7.23")
        .into_iter()
        .filter(|f| f.case == "hello")
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 1400);
    let first = talk.segments(&messages(&frames));
    let mut second = first.clone();
    for sent in &mut second {
        sent.seq = sent.seq.wrapping_add(77);
        sent.ack = sent.ack.wrapping_add(77);
    }
    // The first one ends without a word.
    let all = [&first[..4], &second].concat();
    let ran = run(&["--output", "json"], &pcap(1, &packets(&talk, &all)));
    let objects = ran.objects();
    let kinds: Vec<_> = objects
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["request", "request", "response"]);
    assert!(ran.report.contains("2 connections"), "{}", ran.report);
}

#[test]
fn a_dump_of_packets_is_read_as_packets() {
    let frames: Vec<_> = recorded("2.7.23")
        .into_iter()
        .filter(|f| f.case == "hello")
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 100);
    let mut dump = String::new();
    for sent in talk.segments(&messages(&frames)) {
        dump += "22:13:20.004 IP 10.0.0.5.41234 > 10.0.0.6.20880: Flags [P.]\n";
        for (row, bytes) in talk.ip(&sent).chunks(16).enumerate() {
            let words = bytes.chunks(2).map(|pair| {
                pair.iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<String>()
            });
            let words: Vec<_> = words.collect();
            dump += &format!("\t0x{:04x}:  {:39}  ....\n", row * 16, words.join(" "));
        }
    }
    let ran = run(&["--hex", "--output", "json"], dump.as_bytes());
    assert_eq!(ran.ended, Ok(Ended::Done));
    let found: Vec<_> = ran.objects().iter().map(bare).collect();
    assert_eq!(found, expected(&frames));
}

/// A block that says nothing sensible within its bounds costs itself alone.
#[test]
fn a_broken_block_does_not_stop_the_next_one() {
    let frames: Vec<_> = recorded("2.7.23")
        .into_iter()
        .filter(|f| f.case == "hello")
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 1400);
    let packets = packets(&talk, &talk.segments(&messages(&frames)));
    let (first, second) = (pcapng(&packets[..3]), pcapng(&packets[3..]));
    // A packet of an interface that nobody described, and one that is longer than its block.
    let foreign = unhex(
        "00000006000000200000000700000000000000000000000000000000000000 20"
            .replace(' ', "")
            .as_str(),
    );
    let long = unhex("0000000600000020000000010000000000000000000010000000100000000020");
    let ran = run(
        &["--output", "json"],
        &[first, foreign, long, second].concat(),
    );
    let kinds: Vec<_> = ran
        .objects()
        .iter()
        .map(|object| object["kind"].clone())
        .collect();
    assert_eq!(
        (kinds, ran.ended),
        (vec![json!("request"), json!("response")], Ok(Ended::Broken))
    );
    assert!(
        ran.report
            .contains("a packet of an interface that was not described"),
        "{}",
        ran.report
    );
    assert!(
        ran.report.contains("a block cannot be read"),
        "{}",
        ran.report
    );
}

#[test]
fn times_of_all_resolutions_are_the_same() {
    let frames: Vec<_> = recorded("2.7.23")
        .into_iter()
        .filter(|f| f.case == "hello")
        .collect();
    let talk = talk("10.0.0.5:41234", "10.0.0.6:20880", 1400);
    let packets = packets(&talk, &talk.segments(&messages(&frames)));
    let header = PcapHeader {
        datalink: DataLink::RAW,
        endianness: Endianness::Little,
        ts_resolution: TsResolution::NanoSecond,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (micros, ip) in &packets {
        let time = Duration::from_micros(*micros);
        writer
            .write_packet(&PcapPacket::new(time, ip.len() as u32, ip))
            .unwrap();
    }
    let expected = found(&pcap(1, &packets));
    assert_eq!(found(&writer.into_writer()), expected);
    assert_eq!(found(&pcapng(&packets)), expected);
    assert_eq!(expected[0]["time"], "2023-11-14T22:13:20.003000Z");
}
