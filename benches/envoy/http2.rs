//! An HTTP/2 connection of the caller's, for what our paths are measured against.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use h2::RecvStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::StatusCode;
use tokio::net::TcpStream;

use crate::pace::{Pace, Schedule};
use crate::payload::{self, Payload};
use crate::record::Record;

/// Windows that nobody has to wait for.
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
pub(crate) const CONNECTION_WINDOW: u32 = 1 << 24;

pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    request: http::Request<()>,
    body: Bytes,
    answer: usize,
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr, payload: Payload) -> Self {
        let stream = TcpStream::connect(server).await.expect("a listener");
        stream.set_nodelay(true).expect("a connection");
        let handshake = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(stream);
        let (sender, connection) = handshake.await.expect("HTTP/2");
        // If it breaks, so does each call of it.
        tokio::spawn(connection);
        let (request, body) = payload::request(payload);
        Self {
            sender,
            request,
            body,
            answer: payload::answer().len(),
        }
    }

    /// Sends so many calls when they are due, and waits for all answers.
    pub(crate) async fn run(&mut self, mut pace: Pace, schedule: Schedule, calls: usize) -> Record {
        let mut record = Record::new(schedule, calls);
        let (mut sent, mut waiting) = (0, FuturesUnordered::new());
        while !record.is_complete() {
            tokio::select! {
                due = pace.due(), if sent < calls => for _ in 0..due.min(calls - sent) {
                    waiting.push(answered(sent, self.send().await, self.answer));
                    sent += 1;
                },
                Some((n, now)) = waiting.next() => record.answered(n, now),
            }
        }
        record
    }

    async fn send(&mut self) -> ResponseFuture {
        let ready = self.sender.clone().ready().await;
        self.sender = ready.expect("an open connection");
        let sent = self.sender.send_request(self.request.clone(), false);
        let (response, mut stream) = sent.expect("an open connection");
        let body = stream.send_data(self.body.clone(), true);
        body.expect("an open stream");
        response
    }
}

/// When the whole answer to the `n`-th call was there.
async fn answered(n: usize, response: ResponseFuture, length: usize) -> (usize, Instant) {
    let response = response.await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(read(response.into_body()).await, length);
    (n, Instant::now())
}

/// Reads a body, and says how long it was.
pub(crate) async fn read(mut body: RecvStream) -> usize {
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data.expect("a whole body");
        length += data.len();
        let released = body.flow_control().release_capacity(data.len());
        released.expect("what was received");
    }
    length
}
