//! When calls are due. The clock is the kernel's own timer, since that of the runtime counts whole
//! milliseconds.

use std::fs::File;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

/// The times at which the calls of one connection are due, whatever the others do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    first: Instant,
    period: Duration,
}

impl Schedule {
    /// When the `n`-th call is due, from zero.
    pub(crate) fn due(&self, n: usize) -> Instant {
        self.first + self.period * u32::try_from(n).expect("a cell has thousands of calls")
    }
}

/// Wakes its owner whenever calls are due.
#[derive(Debug)]
pub(crate) struct Pace(Receiver);

impl Pace {
    /// The first call is due after `first`, then one every `period`.
    pub(crate) fn start(first: Duration, period: Duration) -> (Self, Schedule) {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).expect("a timer");
        let times = Itimerspec {
            it_interval: timespec(period),
            it_value: timespec(first),
        };
        let schedule = Schedule {
            first: Instant::now() + first,
            period,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times).expect("times of a timer");
        // To the runtime it is what a pipe is: something that becomes readable.
        let timer = Receiver::from_file_unchecked(File::from(timer));
        (Self(timer.expect("a runtime")), schedule)
    }

    /// How many calls have become due since the last time, at least one.
    pub(crate) async fn due(&mut self) -> usize {
        let mut count = [0; 8];
        let read = self.0.read(&mut count).await.expect("a timer");
        assert_eq!(read, count.len(), "timers count in eight bytes");
        usize::try_from(u64::from_ne_bytes(count)).expect("not that many")
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).expect("some seconds"),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
