//! What the connections of one worker thread of Envoy's share.
//!
//! Two things: how many bytes they hold together, which is bounded, and the deadlines of the transport
//! sockets. A socket cannot be woken from another thread, a network filter can: so whichever filter is
//! called on the worker wakes the sockets whose time has come, and its own alarm is set for them too.
//!
//! ```text
//! socket ─Ticket: deadline→ worker ←next_deadline, tick─ network filter ←alarm─ timer thread
//! ```
//! Without any connection of a caller on the worker nobody wakes its sockets: then nobody needs them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::envoy::Socket;

/// Milliseconds that a socket which is woken has to say when it wants to be woken next.
const AGAIN: u64 = 20;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
    static SOCKETS: RefCell<Sockets> = RefCell::default();
}

/// Bytes that all network filters of this worker hold.
pub(crate) fn held() -> i64 {
    HELD.get()
}

/// A network filter of this worker holds more, or less.
pub(crate) fn hold(change: i64) {
    HELD.set(HELD.get() + change);
}

#[derive(Default)]
struct Sockets {
    all: HashMap<u64, (Socket, Option<u64>)>,
    last: u64,
    /// No deadline is before this.
    earliest: Option<u64>,
}

/// The place of a socket that can be woken, until it is dropped. It stays on its thread.
#[derive(Debug)]
pub(crate) struct Ticket(u64);

impl Ticket {
    /// For a socket that is open as long as the ticket lives.
    pub(crate) fn new(socket: Socket) -> Self {
        SOCKETS.with_borrow_mut(|sockets| {
            sockets.last += 1;
            sockets.all.insert(sockets.last, (socket, None));
            Self(sockets.last)
        })
    }

    /// Has the hook of a read called at `deadline` or soon after.
    pub(crate) fn wake_at(&self, deadline: Option<u64>) {
        SOCKETS.with_borrow_mut(|sockets| {
            if let Some((_, set)) = sockets.all.get_mut(&self.0) {
                *set = deadline;
                sockets.earliest = sockets.earliest.into_iter().chain(deadline).min();
            }
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // The thread may be ending, and its sockets with it.
        let _ = SOCKETS.try_with(|sockets| sockets.borrow_mut().all.remove(&self.0));
    }
}

/// When [`tick`] is due.
pub(crate) fn next_deadline() -> Option<u64> {
    SOCKETS.with_borrow(|sockets| sockets.earliest)
}

/// Wakes the sockets whose time has come.
pub(crate) fn tick(now: u64) {
    if next_deadline().is_none_or(|at| at > now) {
        return;
    }
    let due: Vec<Socket> = SOCKETS.with_borrow_mut(|sockets| {
        let all = sockets.all.values_mut();
        let due = all.filter(|(_, deadline)| deadline.is_some_and(|at| at <= now));
        let due = due.map(|(socket, deadline)| {
            *deadline = None;
            *socket
        });
        let due: Vec<_> = due.collect();
        let next = sockets.all.values().filter_map(|(_, deadline)| *deadline);
        // Those that are woken will say only then when they want to be woken again.
        let again = (!due.is_empty()).then_some(now + AGAIN);
        sockets.earliest = next.chain(again).min();
        due
    });
    // This only makes Envoy call them later, from its own loop.
    due.into_iter().for_each(Socket::ask_to_read);
}
