//! Many measurements in a few numbers. Pure.

use std::fmt;
use std::time::Duration;

/// Durations, in order.
#[derive(Clone, Debug)]
pub struct Summary(Vec<Duration>);

impl Summary {
    /// # Panics
    /// Without a measurement.
    pub fn of(mut all: Vec<Duration>) -> Self {
        assert!(!all.is_empty(), "nothing was measured");
        all.sort_unstable();
        Self(all)
    }

    /// The middle one.
    pub fn median(&self) -> Duration {
        self.share(50)
    }

    /// The one that `percent` of all are not larger than.
    fn share(&self, percent: usize) -> Duration {
        self.0[((self.0.len() - 1) * percent + 50) / 100]
    }
}

impl fmt::Display for Summary {
    /// The median; what nine of ten lie between; their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (self.share(5), self.share(95));
        let count = self.0.len();
        write!(
            f,
            "{} ({} to {}, n={count})",
            time(self.median()),
            time(low),
            time(high)
        )
    }
}

/// Three digits or so, in the unit that fits.
pub fn time(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..1e3 => format!("{micros:.0} µs"),
        1e3..1e6 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// In millions of bytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_nine_of_ten() {
        let all = (1..=100).rev().map(Duration::from_millis).collect();
        let summary = Summary::of(all);
        assert_eq!(summary.median(), Duration::from_millis(51));
        assert_eq!(summary.to_string(), "51.0 ms (6.0 ms to 95.0 ms, n=100)");
    }
}
