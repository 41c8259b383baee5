//! The calls that have a stream: who waits for which answer, how much of it has come, and until when.

use crate::http2::StreamKey;
use crate::request::Call;
use crate::translate::{KEPT_OF_CALL, Millis};

/// What has come of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The HTTP status; 0 until it has come.
    pub(super) status: u16,
    /// Its body is a Dubbo frame.
    pub(super) is_ours: bool,
    /// The method threw.
    pub(super) threw: bool,
    /// What has been gathered of the body.
    pub(super) body: Vec<u8>,
    /// Length of the frame that the body is; 0 until its head has come.
    pub(super) length: usize,
}

impl Answer {
    /// All of its frame is here.
    pub(super) const fn is_whole(&self) -> bool {
        self.length > 0 && self.body.len() == self.length
    }
}

/// A call that has a stream.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) stream: StreamKey,
    pub(super) call: Call,
    pub(super) since: Millis,
    pub(super) deadline: Option<Millis>,
    pub(super) answer: Answer,
}

/// All of them, in the slots of their streams.
#[derive(Debug, Default)]
pub(super) struct Flights {
    slots: Vec<Option<Flight>>,
    /// Buffers of answers that have ended.
    spare: Vec<Vec<u8>>,
    len: usize,
    two_way: usize,
    gathered: usize,
    /// No deadline is before this.
    earliest: Option<Millis>,
}

impl Flights {
    pub(super) fn begin(
        &mut self,
        stream: StreamKey,
        call: &Call,
        since: Millis,
        deadline: Option<Millis>,
    ) {
        let slot = stream.slot();
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        let body = self.spare.pop().unwrap_or_default();
        let answer = Answer {
            body,
            ..Answer::default()
        };
        self.slots[slot] = Some(Flight {
            stream,
            call: *call,
            since,
            deadline,
            answer,
        });
        self.len += 1;
        self.two_way += usize::from(call.two_way());
        self.earliest = self.earliest.into_iter().chain(deadline).min();
    }

    pub(super) fn get(&mut self, stream: StreamKey) -> Option<&mut Flight> {
        let flight = self.slots.get_mut(stream.slot())?.as_mut()?;
        (flight.stream == stream).then_some(flight)
    }

    /// Adds to the body of an answer.
    pub(super) fn gather(&mut self, stream: StreamKey, bytes: &[u8]) {
        if let Some(flight) = self.get(stream) {
            flight.answer.body.extend_from_slice(bytes);
            self.gathered += bytes.len();
        }
    }

    pub(super) fn end(&mut self, stream: StreamKey) -> Option<Flight> {
        self.get(stream)?;
        let flight = self.slots[stream.slot()].take()?;
        self.len -= 1;
        self.two_way -= usize::from(flight.call.two_way());
        self.gathered -= flight.answer.body.len();
        Some(flight)
    }

    /// Keeps the buffer of an answer that has ended for another.
    pub(super) fn keep(&mut self, mut body: Vec<u8>) {
        if body.capacity() > 0 && self.spare.len() < 64 {
            body.clear();
            body.shrink_to(KEPT_OF_CALL);
            self.spare.push(body);
        }
    }

    /// All of them.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Those whose caller waits.
    pub(super) const fn waiting(&self) -> usize {
        self.two_way
    }

    /// Bytes of answers that have not come whole.
    pub(super) const fn gathered(&self) -> usize {
        self.gathered
    }

    /// No deadline is before this.
    pub(super) const fn earliest(&self) -> Option<Millis> {
        self.earliest
    }

    /// Those whose time is up.
    pub(super) fn expired(&mut self, now: Millis) -> Vec<StreamKey> {
        let open = || self.slots.iter().flatten();
        let up = open().filter(|flight| flight.deadline.is_some_and(|at| at <= now));
        let up = up.map(|flight| flight.stream).collect();
        let later = open().filter_map(|flight| flight.deadline);
        self.earliest = later.filter(|at| *at > now).min();
        up
    }

    pub(super) fn streams(&self) -> Vec<StreamKey> {
        self.slots.iter().flatten().map(|f| f.stream).collect()
    }
}
