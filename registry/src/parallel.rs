//! One function for many values, on all processors. Pure: the result is that of doing it one by one.
//!
//! A first reading renders thousands of services at once, and clients wait for all of them.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// Values that are worth a thread.
const WORTH: usize = 64;

/// What `function` makes of each value, in their order.
pub(crate) fn map<T: Sync, R: Send>(values: &[T], function: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let worth = values.len() / WORTH;
    if worth < 2 {
        return values.iter().map(function).collect();
    }
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let share = values.len().div_ceil(processors.min(worth));
    let some = |values: &[T]| values.iter().map(&function).collect::<Vec<R>>();
    thread::scope(|scope| {
        let shares = values.chunks(share);
        let threads: Vec<_> = shares.map(|v| scope.spawn(move || some(v))).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .flat_map(|made| made.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::{WORTH, map};

    #[test]
    fn the_order_stays() {
        for count in [0, 1, WORTH, 2 * WORTH, 10 * WORTH + 7] {
            let values: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = values.iter().map(|n| 2 * n).collect();
            assert_eq!(map(&values, |n| 2 * n), doubled);
        }
    }

    #[test]
    #[should_panic(expected = "as intended")]
    fn a_panic_is_passed_on() {
        map(&[0; 4 * WORTH], |_| panic!("as intended"));
    }
}
