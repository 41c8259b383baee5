//! The requests of Envoy that are not answered, in the slots of their streams.
//!
//! ```text
//! id of ours = serial number | slot        so an answer finds its request, and a late one does not
//! ```
//! Slots keep their buffers, so a call allocates nothing once they have grown.

use crate::hpack::HeaderList;
use crate::http2::StreamKey;
use crate::request::Call;
use crate::translate::KEPT_OF_CALL;

/// Bits of an id that are the slot.
const SLOT_BITS: u32 = 24;

/// A request.
#[derive(Debug, Default)]
pub(super) struct Slot {
    stream: Option<StreamKey>,
    /// Its headers; empty once it is sent.
    pub(super) headers: HeaderList,
    /// What has come of its body.
    pub(super) body: Vec<u8>,
    /// Length of the frame that the body is; 0 until its head has come.
    pub(super) length: usize,
    /// The provider has it and owes an answer under this id; 0 before that.
    id: i64,
    /// What an answer of our own needs.
    call: Option<Call>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    serial: i64,
    /// Bytes of all heads and bodies.
    held: usize,
    sent: usize,
}

impl Slots {
    pub(super) fn begin(&mut self, stream: StreamKey, headers: &HeaderList) {
        let at = stream.slot();
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, Slot::default);
        }
        let slot = &mut self.slots[at];
        slot.stream = Some(stream);
        slot.headers.copy_from(headers);
        self.held += headers.size();
    }

    pub(super) fn get(&mut self, stream: StreamKey) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(stream.slot())?;
        (slot.stream == Some(stream)).then_some(slot)
    }

    /// Adds to the body of a request.
    pub(super) fn gather(&mut self, stream: StreamKey, bytes: &[u8]) {
        if let Some(slot) = self.get(stream) {
            slot.body.extend_from_slice(bytes);
            self.held += bytes.len();
        }
    }

    /// The id under which a request goes to the provider.
    pub(super) fn id(&mut self, stream: StreamKey) -> i64 {
        self.serial += 1;
        (self.serial << SLOT_BITS | stream.slot() as i64) & i64::MAX
    }

    /// How many the provider has and owes an answer for.
    pub(super) const fn sent(&self) -> usize {
        self.sent
    }

    /// The provider has a request, and owes an answer.
    pub(super) fn set_sent(&mut self, stream: StreamKey, id: i64, call: Call) {
        if let Some(slot) = self.get(stream) {
            slot.id = id;
            slot.call = Some(call);
            self.sent += 1;
        }
    }

    /// The request that an answer with this id is for.
    pub(super) fn of_id(&self, id: i64) -> Option<(StreamKey, Call)> {
        let at = (id & ((1 << SLOT_BITS) - 1)) as usize;
        let slot = self.slots.get(at)?;
        if slot.id != id || id == 0 {
            return None;
        }
        Some((slot.stream?, slot.call?))
    }

    /// Takes head and body out, to be given back by [`put_back`](Self::put_back).
    pub(super) fn take(&mut self, stream: StreamKey) -> (HeaderList, Vec<u8>) {
        let Some(slot) = self.get(stream) else {
            return Default::default();
        };
        let taken = (
            std::mem::take(&mut slot.headers),
            std::mem::take(&mut slot.body),
        );
        self.held -= taken.0.size() + taken.1.len();
        taken
    }

    /// Gives the buffers of a request back to its slot, empty.
    pub(super) fn put_back(
        &mut self,
        stream: StreamKey,
        mut headers: HeaderList,
        mut body: Vec<u8>,
    ) {
        headers.clear();
        body.clear();
        body.shrink_to(KEPT_OF_CALL);
        if let Some(slot) = self.slots.get_mut(stream.slot()) {
            slot.headers = headers;
            slot.body = body;
        }
    }

    /// Forgets a request.
    pub(super) fn end(&mut self, stream: StreamKey) {
        let Some(slot) = self.get(stream) else {
            return;
        };
        let was_sent = slot.id != 0;
        let held = slot.headers.size() + slot.body.len();
        slot.stream = None;
        slot.id = 0;
        slot.call = None;
        slot.length = 0;
        slot.headers.clear();
        slot.body.clear();
        slot.body.shrink_to(KEPT_OF_CALL);
        self.held -= held;
        self.sent -= usize::from(was_sent);
    }

    /// Bytes of requests that have not come whole.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// All of them, and whether the provider has them.
    pub(super) fn streams(&self) -> Vec<(StreamKey, bool)> {
        let open = self.slots.iter();
        open.filter_map(|slot| Some((slot.stream?, slot.id != 0)))
            .collect()
    }
}
