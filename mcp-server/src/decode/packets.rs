//! The packets of one capture: counted, and handed on by what they are.

use super::capture::{Nanos, Packet};
use super::connections::{Bounds, Connections};
use super::packet::{self, Content};
use super::tell::{Counts, Teller};
use super::{Failed, counted};

/// The packets of a capture.
pub(super) struct Packets {
    pub(super) connections: Connections,
    packets: u64,
    fragments: u64,
    unknown_links: u64,
    link: i32,
    /// Blocks of the file that cannot be read.
    pub(super) broken: u64,
    trouble: Vec<String>,
    /// Of the last packet.
    pub(super) time: Option<Nanos>,
}

impl Packets {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            connections: Connections::new(bounds),
            packets: 0,
            fragments: 0,
            unknown_links: 0,
            link: 0,
            broken: 0,
            trouble: Vec::new(),
            time: None,
        }
    }

    pub(super) fn packet(&mut self, packet: &Packet<'_>, teller: &mut Teller) {
        self.packets += 1;
        self.time = packet.time.or(self.time);
        match packet::read(packet.link, packet.bytes) {
            Content::Tcp(segment) => {
                self.connections
                    .segment(&segment, &mut |ends, to_server, what| {
                        teller.happening(ends, to_server, packet.time, what);
                    });
            }
            Content::Fragment => self.fragments += 1,
            Content::UnknownLink => {
                self.unknown_links += 1;
                self.link = packet.link;
            }
            Content::Other => {}
        }
    }

    /// A block that cannot be read, or the end of what can.
    pub(super) fn unread(&mut self, why: &str, at: u64) {
        self.broken += 1;
        if self.trouble.len() < 3 {
            self.trouble
                .push(format!("at byte {at} of the capture: {why}"));
        }
    }

    pub(super) fn summary(self, counts: &Counts) -> Result<Vec<String>, Failed> {
        if self.unknown_links > 0 && self.unknown_links == self.packets {
            return Err(Failed::Input(format!(
                "is a capture of link type {}, which is not read",
                self.link
            )));
        }
        let dubbo = self.connections.opened() - counts.not_dubbo.min(self.connections.opened());
        let mut summary = vec![format!(
            "{}, {}, {dubbo} of them Dubbo",
            counted(self.packets, "packet"),
            counted(self.connections.opened(), "connection"),
        )];
        if self.fragments > 0 {
            summary.push(counted(self.fragments, "fragment") + " left out");
        }
        if self.unknown_links > 0 {
            let count = counted(self.unknown_links, "packet");
            summary.push(format!("{count} of link type {} left out", self.link));
        }
        summary.extend(self.trouble);
        Ok(summary)
    }
}
