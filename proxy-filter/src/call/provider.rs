//! What the provider sends: the answer, and what it says beside it.

use dubbo_codec::{Event, FrameHead, FrameKind, Status};

use super::{Answer, Connection, Exchange, Incoming, Request, ResponseHeaders};
use crate::request::Call;
use crate::response;

/// So many bytes of answers to a provider wait while a request goes out; more are dropped.
const QUEUE_BYTES: usize = 4096;

impl Exchange {
    /// A frame of the provider begins.
    pub(super) fn begins(&mut self, head: FrameHead) {
        self.incoming = match (head.kind, head.event) {
            (FrameKind::Request, true) if head.body_len as usize <= Event::MAX_BODY => {
                Incoming::Event(head, Vec::new())
            }
            (FrameKind::Response, false) if self.is_awaited(&head) => {
                let head = self.under_the_callers_id(head);
                Incoming::Begun(head, head.to_bytes().to_vec())
            }
            (FrameKind::Response, false) => {
                self.out.noted.late += 1;
                Incoming::Skipped
            }
            (FrameKind::Request, false) => {
                self.out.noted.callbacks += 1;
                let text = "dubbo-mesh: a provider cannot call its consumer through the mesh";
                self.tell_provider(&Call::of_head(&head).error(Status::BAD_REQUEST, text));
                Incoming::Skipped
            }
            (_, true) => Incoming::Skipped,
        };
        if head.body_len == 0 {
            self.continues(&[], true);
        }
    }

    fn is_awaited(&self, head: &FrameHead) -> bool {
        self.answer == Answer::Waiting
            && head.id == self.id
            && matches!(&self.request, Request::Going { head: asked, .. } if asked.two_way)
    }

    fn under_the_callers_id(&self, head: FrameHead) -> FrameHead {
        match &self.request {
            Request::Going { head: asked, .. } => FrameHead {
                id: asked.id,
                ..head
            },
            _ => head,
        }
    }

    /// More of the provider's frame.
    pub(super) fn continues(&mut self, bytes: &[u8], last: bool) {
        match &mut self.incoming {
            Incoming::Skipped => {}
            Incoming::Event(head, body) => {
                body.extend_from_slice(bytes);
                if last {
                    let (head, body) = (*head, std::mem::take(body));
                    self.event(&head, &body);
                }
            }
            Incoming::Begun(head, frame) => {
                frame.extend_from_slice(bytes);
                let mut headers = ResponseHeaders::default();
                let body = frame.get(FrameHead::LEN..).unwrap_or_default();
                if let Some(status) = response::to_headers(head, body, &self.config, &mut headers) {
                    headers.status = status;
                    self.out.headers = Some(headers);
                    self.out.body.append(frame);
                    self.incoming = Incoming::Passing;
                    self.answer = Answer::Begun;
                    self.ends(last);
                }
            }
            Incoming::Passing => {
                self.out.body.extend_from_slice(bytes);
                self.ends(last);
            }
        }
    }

    fn ends(&mut self, last: bool) {
        if last {
            self.answer = Answer::Whole;
        }
    }

    /// Whoever gets the connection next begins at a frame: so a call is not over before the frame behind
    /// its answer is, of which a part may have come. Nobody shall get a connection that will close.
    pub(super) fn end_between_frames(&mut self) {
        if !self.splitter.is_between_frames() {
            return;
        }
        // Where the request is not out, Envoy closes the connection itself.
        let is_out = matches!(self.request, Request::Going { left: 0, .. });
        match self.connection {
            Connection::Leaves if is_out => {
                self.out.leave = true;
                self.connection = Connection::Left;
            }
            Connection::Left => {}
            Connection::Stays | Connection::Leaves => self.end(),
        }
    }

    pub(super) fn end(&mut self) {
        self.out.end = true;
        self.answer = Answer::Ended;
    }

    fn event(&mut self, head: &FrameHead, body: &[u8]) {
        match Event::parse(head, body) {
            Ok(Event::Heartbeat) if head.two_way => {
                self.out.noted.heartbeats += 1;
                self.tell_provider(&head.heartbeat_reply().unwrap_or_default());
            }
            Ok(Event::ReadOnly) => {
                self.out.noted.read_only += 1;
                if self.connection == Connection::Stays {
                    self.connection = Connection::Leaves;
                }
            }
            _ => {}
        }
    }

    /// An answer to the provider, not within the frame of the request.
    fn tell_provider(&mut self, bytes: &[u8]) {
        match self.request {
            _ if self.connection == Connection::Left => {}
            Request::Going { left: 1.., .. } if self.queued.len() < QUEUE_BYTES => {
                self.queued.extend_from_slice(bytes);
            }
            Request::Going { left: 1.., .. } => {}
            _ => self.out.to_provider.extend_from_slice(bytes),
        }
    }
}
