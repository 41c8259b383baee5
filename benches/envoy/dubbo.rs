//! A Dubbo connection of the caller's, as cheap as can be: the frame is made once, only its id changes.

use std::net::SocketAddr;
use std::time::Instant;

use dubbo_codec::{Assembler, FrameKind, Limits, Status, set_request_id};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::pace::{Pace, Schedule};
use crate::payload::{self, Payload};
use crate::record::Record;

/// What one read takes at most.
pub(crate) const READ: usize = 64 * 1024;

pub(crate) struct Connection {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    frame: Vec<u8>,
    answer: usize,
    buffer: Vec<u8>,
    /// Ids go on from run to run, so that a late answer is not taken for a new one.
    next: i64,
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr, payload: Payload) -> Self {
        let stream = TcpStream::connect(server).await.expect("a listener");
        stream.set_nodelay(true).expect("a connection");
        let (read, write) = stream.into_split();
        Self {
            read,
            write,
            frame: payload.frame(),
            answer: payload::answer().len(),
            buffer: vec![0; READ],
            next: 1,
        }
    }

    /// Sends so many calls when they are due, and waits for all answers.
    pub(crate) async fn run(&mut self, mut pace: Pace, schedule: Schedule, calls: usize) -> Record {
        let first = self.next;
        self.next += calls as i64;
        let mut record = Record::new(schedule, calls);
        let (write, frame) = (&mut self.write, &mut self.frame);
        let send = async {
            let mut sent = 0;
            while sent < calls {
                for _ in 0..pace.due().await.min(calls - sent) {
                    set_request_id(frame, first + sent as i64);
                    write.write_all(frame).await.expect("an open connection");
                    sent += 1;
                }
            }
        };
        let (read, buffer, length) = (&mut self.read, &mut self.buffer, self.answer);
        let receive = receive(read, buffer, length, first, &mut record);
        tokio::join!(send, receive);
        record
    }
}

async fn receive(
    read: &mut OwnedReadHalf,
    buffer: &mut [u8],
    length: usize,
    first: i64,
    record: &mut Record,
) {
    let mut assembler = Assembler::new(Limits::default());
    while !record.is_complete() {
        let n = read.read(buffer).await.expect("an open connection");
        assert_ne!(n, 0, "the connection was closed");
        let (mut chunk, now) = (&buffer[..n], Instant::now());
        while let Some(frame) = assembler.next(&mut chunk).expect("Dubbo") {
            let head = frame.head();
            assert!(head.kind == FrameKind::Response && !head.event, "{head:?}");
            assert_eq!(head.status, Status::OK, "{head:?}");
            assert_eq!(frame.bytes().len(), length);
            let n = usize::try_from(head.id - first).expect("an answer to this run");
            record.answered(n, now);
        }
    }
}
