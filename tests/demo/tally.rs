//! Who answered how many calls, and whether that is as expected. Pure.

use std::collections::BTreeMap;

/// Answers of some calls.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    answered: BTreeMap<String, u32>,
    failed: Vec<String>,
}

/// What the answers have to be. A call that failed is never expected.
#[derive(Debug)]
pub(crate) enum Expected {
    /// All from these, and some from each of them.
    Each(&'static [&'static str]),
    /// This part of all from these, give or take five standard deviations.
    Share {
        of: &'static [&'static str],
        percent: u32,
    },
}

impl Tally {
    pub(crate) fn answered(&mut self, instance: &str) {
        *self.answered.entry(instance.to_owned()).or_default() += 1;
    }

    pub(crate) fn failed(&mut self, how: String) {
        self.failed.push(how);
    }

    pub(crate) fn of(&self, instance: &str) -> u32 {
        self.answered.get(instance).copied().unwrap_or(0)
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failed
    }

    pub(crate) fn made(&self) -> u32 {
        let failed = u32::try_from(self.failed.len()).unwrap_or(u32::MAX);
        self.answered.values().sum::<u32>() + failed
    }
}

impl Expected {
    /// # Errors
    /// What was expected instead.
    pub(crate) fn met(&self, tally: &Tally) -> Result<(), String> {
        if let Some(first) = tally.failures().first() {
            return Err(format!("{} failed: {first}", tally.failures().len()));
        }
        let sum = |of: &[&str]| of.iter().map(|instance| tally.of(instance)).sum::<u32>();
        match self {
            Self::Each(of) if sum(of) != tally.made() => Err(format!("all from {}", of.join(", "))),
            Self::Each(of) => match of.iter().find(|instance| tally.of(instance) == 0) {
                Some(instance) => Err(format!("some from {instance}")),
                None => Ok(()),
            },
            Self::Share { of, percent } => {
                let (low, high) = bounds(tally.made(), *percent);
                match (low..=high).contains(&sum(of)) {
                    true => Ok(()),
                    false => Err(format!("{low} to {high} from {}", of.join(", "))),
                }
            }
        }
    }

    /// In words.
    pub(crate) fn said(&self, calls: u32) -> String {
        match self {
            Self::Each(of) => format!("all {calls} from {}", of.join(", ")),
            Self::Share { of, percent } => {
                let (low, high) = bounds(calls, *percent);
                format!("{low} to {high} from {}", of.join(", "))
            }
        }
    }
}

/// Of `calls` that each fall with this probability: what all but two of a million runs lie between.
fn bounds(calls: u32, percent: u32) -> (u32, u32) {
    let (calls, share) = (f64::from(calls), f64::from(percent) / 100.0);
    let spread = 5.0 * (calls * share * (1.0 - share)).sqrt();
    let low = (calls * share - spread).ceil().max(0.0);
    let high = (calls * share + spread).floor().min(calls);
    (low as u32, high as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(answers: &[(&str, u32)]) -> Tally {
        let answered = answers.iter().map(|(who, n)| ((*who).to_owned(), *n));
        Tally {
            answered: answered.collect(),
            failed: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_expected_is_named() {
        let each = Expected::Each(&["v2", "v2b"]);
        assert_eq!(each.met(&tally(&[("v2", 1), ("v2b", 9)])), Ok(()));
        let missing = each.met(&tally(&[("v2", 10)]));
        assert_eq!(missing, Err("some from v2b".to_owned()));
        let stray = each.met(&tally(&[("v1", 1), ("v2", 5), ("v2b", 4)]));
        assert_eq!(stray, Err("all from v2, v2b".to_owned()));
        assert!(
            each.met(&Tally::default()).is_err(),
            "no calls show nothing"
        );
        let mut failed = tally(&[("v2", 5), ("v2b", 5)]);
        failed.failed("no provider".to_owned());
        assert_eq!(each.met(&failed), Err("1 failed: no provider".to_owned()));
    }

    /// 40 of 200, give or take five times the root of 200 * 0.2 * 0.8, 5.66.
    #[test]
    fn a_share_is_met_within_five_deviations() {
        let share = Expected::Share {
            of: &["v2"],
            percent: 20,
        };
        let met = |of: u32| share.met(&tally(&[("v1", 200 - of), ("v2", of)])).is_ok();
        let ends = [11, 12, 40, 68, 69].map(met);
        assert_eq!(ends, [false, true, true, true, false]);
    }
}
