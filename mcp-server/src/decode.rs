//! `dubbo-mesh decode`: Dubbo traffic, readable.
//!
//! ```text
//! file, stdin ─┬─ frames ────────────────────────────────→ Framer ─┐
//!              ├─ pcap, pcapng ─→ Packet ─→ Segment ─→ Connections ─┼─→ Teller ─→ stdout
//!              └─ --hex: either ────────────────────────────────────┘
//!                 --hessian2, --jsonb: a bare value ────────────────────────────→ stdout
//! ```
//! This file reads and writes; everything below it is pure. It holds one block of a capture, and
//! what its parts say that they hold.

mod bare;
mod body;
mod buffer;
mod capture;
mod connections;
mod framing;
mod hex;
mod json;
mod lane;
mod packet;
mod packets;
mod pair;
mod stream;
mod tell;
mod text;
mod trace;

use std::io::{self, Read, Write};

use dubbo_codec::{Limits, Sniff};

use crate::cli::{Decode, DecodeOutput};
use buffer::Buffer;
use capture::{Capture, Next, Packet};
use connections::Bounds;
use framing::Framer;
use packet::Content;
use packets::Packets;
use tell::{Counts, Form, Place, Teller};

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything was decoded.
    Done,
    /// Something was broken; what was readable is printed.
    Broken,
}

/// Why the command could not do its work.
#[derive(Debug)]
pub enum Failed {
    /// The input cannot be read, or is nothing that is decoded here.
    Input(String),
    /// The output cannot be written. Whoever reads it may have seen enough: a closed pipe.
    Output(io::Error),
}

/// Longest text of hexadecimal digits, and longest bare value.
const MOST_TEXT: u64 = 256 * 1024 * 1024;

/// Decodes `input` to `out`; a summary goes to `report`.
pub fn run(
    asked: &Decode,
    input: &mut dyn Read,
    out: &mut dyn Write,
    report: &mut dyn Write,
) -> Result<Ended, Failed> {
    let mut limits = Limits::default();
    limits.max_body = asked.max_body;
    let form = match asked.output {
        DecodeOutput::Text => Form::Text(asked.longest),
        DecodeOutput::Json => Form::Json,
    };
    if asked.hessian2 || asked.jsonb {
        let bytes = match asked.hex {
            true => unhex(input)?.concat(),
            false => whole(input)?,
        };
        return bare::run(asked, &bytes, &limits, out);
    }
    let mut session = Session {
        bounds: Bounds {
            connections: asked.max_connections,
            held: asked.max_memory,
            max_body: asked.max_body,
        },
        teller: Teller::new(limits, form),
        out,
    };
    let mut summary = match asked.hex {
        true => session.hex(unhex(input)?)?,
        false => session.bytes(input)?,
    };
    session.flush()?;
    let counts = session.teller.counts;
    summary.insert(0, summarized(&counts));
    // Who cannot be told can still read the output.
    let _ = writeln!(report, "{}", summary.join("; "));
    Ok(match counts.broken {
        0 => Ended::Done,
        _ => Ended::Broken,
    })
}

fn summarized(counts: &Counts) -> String {
    let mut text = counted(counts.frames, "frame");
    for (count, what) in [
        (counts.broken, "broken or missing"),
        (counts.unread, "in serializations that are not read"),
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    text
}

/// `1 frame`, `2 frames`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn whole(input: &mut dyn Read) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let read = input.take(MOST_TEXT + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failed::Input(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MOST_TEXT {
        return Err(Failed::Input(format!("is longer than {MOST_TEXT} bytes")));
    }
    match bytes.is_empty() {
        true => Err(Failed::Input("is empty".into())),
        false => Ok(bytes),
    }
}

fn unhex(input: &mut dyn Read) -> Result<Vec<Vec<u8>>, Failed> {
    let text = String::from_utf8(whole(input)?)
        .map_err(|_| Failed::Input("is not text; leave out --hex".into()))?;
    hex::parse(&text).map_err(Failed::Input)
}

/// What is read, and where it is told.
struct Session<'o> {
    bounds: Bounds,
    teller: Teller,
    out: &'o mut dyn Write,
}

impl Session<'_> {
    /// Writes what was told so far.
    fn write(&mut self) -> Result<(), Failed> {
        let text = std::mem::take(&mut self.teller.out);
        self.out.write_all(text.as_bytes()).map_err(Failed::Output)
    }

    fn flush(&mut self) -> Result<(), Failed> {
        self.write()?;
        self.out.flush().map_err(Failed::Output)
    }

    /// A file of frames or a capture; returns what else there is to say about it.
    fn bytes(&mut self, input: &mut dyn Read) -> Result<Vec<String>, Failed> {
        let mut buffer = Buffer::new(input);
        while buffer.held().len() < 24 && buffer.more()? {}
        let first = buffer.held();
        if first.is_empty() {
            return Err(Failed::Input("is empty".into()));
        }
        if capture::is_capture(first) {
            return self.capture(&mut buffer);
        }
        // A damaged stream of frames, or one that was joined, may begin with anything.
        let has_magic = first.windows(2).any(|bytes| bytes == [0xda, 0xbb]);
        if let Some(why) = foreign(first).filter(|_| !has_magic) {
            return Err(Failed::Input(why));
        }
        self.frames(&mut buffer)
    }

    fn frames(&mut self, buffer: &mut Buffer<'_>) -> Result<Vec<String>, Failed> {
        let mut framer = Framer::new(self.bounds.max_body);
        loop {
            let place = Place::default();
            framer.bytes(buffer.held(), &mut |piece| self.teller.piece(place, &piece));
            let len = buffer.held().len();
            buffer.consume(len);
            self.flush()?;
            if !buffer.more()? {
                break;
            }
        }
        let place = Place::default();
        framer.end(&mut |piece| self.teller.piece(place, &piece));
        Ok(Vec::new())
    }

    fn capture(&mut self, buffer: &mut Buffer<'_>) -> Result<Vec<String>, Failed> {
        let mut capture = Capture::Start;
        let mut packets = Packets::new(self.bounds);
        let trouble = loop {
            let used = match capture.next(buffer.held()) {
                Next::Block(packet, used) => {
                    if let Some(packet) = packet {
                        packets.packet(&packet, &mut self.teller);
                        self.write()?;
                    }
                    used
                }
                Next::Broken(why, Some(used)) => {
                    packets.unread(why, buffer.position);
                    used
                }
                Next::Broken(why, None) => break Some(why),
                Next::More => {
                    self.flush()?;
                    if !buffer.more()? {
                        let is_over = buffer.held().is_empty();
                        break (!is_over).then_some("the capture ends within a packet");
                    }
                    0
                }
            };
            buffer.consume(used);
        };
        if let Some(why) = trouble {
            packets.unread(why, buffer.position);
        }
        self.end(packets)
    }

    /// Bytes from text: a dump of packets, or frames.
    fn hex(&mut self, pieces: Vec<Vec<u8>>) -> Result<Vec<String>, Failed> {
        let link_of = |piece: &[u8]| {
            let is_tcp = |link: &i32| matches!(packet::read(*link, piece), Content::Tcp(_));
            [101, 1, 113, 276].into_iter().find(is_tcp)
        };
        let is_dubbo = |piece: &Vec<u8>| Sniff::of(piece) == Sniff::Dubbo;
        let first = pieces.first().filter(|piece| !is_dubbo(piece));
        let Some(link) = first.and_then(|piece| link_of(piece)) else {
            return self.bytes(&mut &*pieces.concat());
        };
        let mut packets = Packets::new(self.bounds);
        for piece in &pieces {
            let packet = Packet {
                time: None,
                link,
                bytes: piece,
            };
            packets.packet(&packet, &mut self.teller);
            self.write()?;
        }
        self.end(packets)
    }

    fn end(&mut self, mut packets: Packets) -> Result<Vec<String>, Failed> {
        let time = packets.time;
        let teller = &mut self.teller;
        packets.connections.end(&mut |ends, to_server, what| {
            teller.happening(ends, to_server, time, what);
        });
        self.teller.counts.broken += packets.broken;
        packets.summary(&self.teller.counts)
    }
}

/// Why a file that is neither frames nor a capture is not decoded, if that is plain.
fn foreign(first: &[u8]) -> Option<String> {
    match first {
        [0x1f, 0x8b, ..] => return Some("is compressed: try zcat FILE | dubbo-mesh decode".into()),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            return Some("is compressed: try zstdcat FILE | dubbo-mesh decode".into());
        }
        _ => {}
    }
    let what = match Sniff::of(first) {
        Sniff::Dubbo => return None,
        Sniff::Telnet => ": it seems to be text; hexadecimal digits need --hex",
        Sniff::NeedMore => ", it is too short",
        Sniff::Http1 => ": it seems to be HTTP/1",
        Sniff::Http2 => ": it seems to be HTTP/2 (Triple, gRPC)",
        Sniff::Tls => ": it seems to be TLS",
        _ => "",
    };
    Some(format!(
        "is no capture and does not begin with a Dubbo frame (da bb){what}; a bare value needs \
         --hessian2 or --jsonb"
    ))
}
