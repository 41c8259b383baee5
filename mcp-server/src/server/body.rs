//! The body of a response stream: messages from a queue, then trailers.
//!
//! Owns: handing bytes to HTTP/2 when it has room. A client that does not read leaves its messages
//! here, which holds shared bytes, and nobody else waits.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf as _;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::{mpsc, watch};

use super::message::Rope;

/// What the task of a stream gives to its body.
#[derive(Debug)]
pub(super) enum Outgoing {
    Message(Rope),
    /// The last thing.
    Trailers(HeaderMap),
}

/// The task's end of a body.
pub(super) struct Sender {
    pub(super) queue: mpsc::Sender<Outgoing>,
    /// How many bytes HTTP/2 took so far.
    pub(super) taken: watch::Receiver<u64>,
}

/// HTTP/2's end of it.
#[derive(Debug)]
pub(super) struct Body {
    queue: Source,
    message: Rope,
    taken: watch::Sender<u64>,
}

#[derive(Debug)]
enum Source {
    Stream(mpsc::Receiver<Outgoing>),
    Ready(VecDeque<Outgoing>),
}

impl Default for Body {
    fn default() -> Self {
        Self::ready([])
    }
}

impl Body {
    /// A body that a task feeds, with room for so many messages.
    pub(super) fn stream(room: usize) -> (Sender, Self) {
        let (queue, receiver) = mpsc::channel(room);
        let (progress, taken) = watch::channel(0);
        let body = Self {
            queue: Source::Stream(receiver),
            message: Rope::default(),
            taken: progress,
        };
        (Sender { queue, taken }, body)
    }

    /// A body of which everything is known.
    pub(super) fn ready(parts: impl Into<VecDeque<Outgoing>>) -> Self {
        Self {
            queue: Source::Ready(parts.into()),
            message: Rope::default(),
            taken: watch::channel(0).0,
        }
    }
}

impl http_body::Body for Body {
    type Data = Rope;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Rope>, Infallible>>> {
        loop {
            if let Some(piece) = self.message.pop_piece() {
                let more = piece.remaining() as u64;
                self.taken.send_modify(|taken| *taken += more);
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let next = match &mut self.queue {
                Source::Stream(queue) => ready!(queue.poll_recv(cx)),
                Source::Ready(parts) => parts.pop_front(),
            };
            match next {
                Some(Outgoing::Message(message)) => self.message = message,
                Some(Outgoing::Trailers(map)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(map))));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}
