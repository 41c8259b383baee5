//! What the connections of one worker thread of Envoy's share.
//!
//! Four things. How many bytes they hold together, which is bounded: above the bound the connection
//! goes that holds most. The same of the calls of its bridges, none of which can be called from another's
//! hook: above the bound the one that wants more goes. The ids of these calls, whose connections carry no
//! other worker's. And the deadlines of the transport sockets: a socket cannot be woken from another thread, a network
//! filter can, so whichever filter is called on the worker wakes the sockets whose time has come, and its
//! own alarm is set for them too.
//!
//! ```text
//! socket ─Ticket: deadline→ worker ←next_deadline, tick─ network filter ←alarm─ timer thread
//! ```
//! Without any connection of a caller on the worker nobody wakes its sockets: then nobody needs them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::envoy::{Scheduler, Socket};

/// Milliseconds that a socket which is woken has to say when it wants to be woken next.
const AGAIN: u64 = 20;

thread_local! {
    static HOLDERS: RefCell<Holders> = RefCell::default();
    static SOCKETS: RefCell<Sockets> = RefCell::default();
    static GATHERED: Cell<u64> = const { Cell::new(0) };
    static LAST_ID: Cell<i64> = const { Cell::new(0) };
}

/// An id that no other call of this worker's bridges has.
pub(crate) fn next_id() -> i64 {
    let next = LAST_ID.get().wrapping_add(1);
    LAST_ID.set(next);
    next
}

/// What one call of a bridge holds, until it is dropped. It stays on its thread.
#[derive(Debug, Default)]
pub(crate) struct Gathered(Cell<u64>);

impl Gathered {
    /// It holds `bytes` now. Returns what all calls of the worker's bridges hold.
    pub(crate) fn set(&self, bytes: usize) -> u64 {
        let before = self.0.replace(bytes as u64);
        let sum = GATHERED.get() - before + bytes as u64;
        GATHERED.set(sum);
        sum
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[derive(Default)]
struct Holders {
    all: HashMap<u64, (i64, Weak<Scheduler>)>,
    /// What all of them hold.
    sum: i64,
    last: u64,
}

/// What one network filter holds, until it is dropped. It stays on its thread.
#[derive(Debug)]
pub(crate) struct Holder(u64);

impl Holder {
    /// For a filter that can be called by `scheduler`.
    pub(crate) fn new(scheduler: &Arc<Scheduler>) -> Self {
        HOLDERS.with_borrow_mut(|holders| {
            holders.last += 1;
            let nothing = (0, Arc::downgrade(scheduler));
            holders.all.insert(holders.last, nothing);
            Self(holders.last)
        })
    }

    /// It holds more bytes, or fewer. What was told to go is not counted any longer.
    pub(crate) fn hold(&self, change: i64) {
        HOLDERS.with_borrow_mut(|holders| {
            if let Some((held, _)) = holders.all.get_mut(&self.0) {
                *held += change;
                holders.sum += change;
            }
        });
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The thread may be ending.
        let _ = HOLDERS.try_with(|holders| holders.borrow_mut().take(self.0));
    }
}

impl Holders {
    fn take(&mut self, id: u64) -> Option<Weak<Scheduler>> {
        let (held, scheduler) = self.all.remove(&id)?;
        self.sum -= held;
        Some(scheduler)
    }

    fn largest(&self) -> Option<u64> {
        let largest = self.all.iter().max_by_key(|(_, (held, _))| *held);
        largest.map(|(id, _)| *id)
    }
}

/// While all network filters of this worker hold more than `limit` bytes, has the one that holds most
/// told by `tell` to go.
pub(crate) fn relieve(limit: u32, tell: impl Fn(&Scheduler)) {
    loop {
        let next = HOLDERS.with_borrow_mut(|holders| {
            let is_over = holders.sum > limit.into();
            let largest = is_over.then(|| holders.largest())??;
            holders.take(largest)
        });
        match next {
            None => return,
            Some(holder) => holder.upgrade().iter().for_each(|holder| tell(holder)),
        }
    }
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
