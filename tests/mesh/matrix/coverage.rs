//! That the table leaves nothing out.

use std::collections::BTreeSet;

use support::DubboVersion;

use super::combination::{Combination, Dials, End, Mode, Mtls, Serialization};
use super::table::TABLE;

type Pair = (String, String);

/// All that can be written down.
fn everything() -> Vec<Combination> {
    let mut all = Vec::new();
    for consumer in DubboVersion::ALL {
        for provider in DubboVersion::ALL {
            for serialization in [Serialization::Hessian2, Serialization::Fastjson2] {
                for caller in [End::Bare, End::Sidecar, End::Filter] {
                    for callee in [End::Bare, End::Sidecar, End::Filter] {
                        for mode in [Mode::Tcp, Mode::Http2] {
                            for mtls in [Mtls::Permissive, Mtls::Strict] {
                                for dials in [Dials::Provider, Dials::Service] {
                                    all.push(Combination {
                                        consumer,
                                        provider,
                                        serialization,
                                        caller,
                                        callee,
                                        mode,
                                        mtls,
                                        dials,
                                    });
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

fn pairs<'a>(of: impl IntoIterator<Item = &'a Combination>) -> BTreeSet<Pair> {
    let pairs_of_one = |one: &Combination| {
        let choices = one.choices();
        let mut pairs = Vec::new();
        for (index, first) in choices.iter().enumerate() {
            for second in &choices[index + 1..] {
                pairs.push((first.clone(), second.clone()));
            }
        }
        pairs
    };
    of.into_iter().flat_map(pairs_of_one).collect()
}

fn feasible() -> Vec<Combination> {
    let all = everything().into_iter();
    all.filter(|one| one.infeasible().is_none()).collect()
}

#[test]
fn every_row_of_the_table_can_be() {
    let impossible: Vec<_> = TABLE
        .iter()
        .filter_map(|row| Some((row, row.infeasible()?)))
        .collect();
    assert_eq!(impossible, []);
}

#[test]
fn the_table_has_every_pair_of_choices_that_can_be() {
    let covered = pairs(&TABLE);
    let needed = pairs(&feasible());
    assert_eq!(needed.len(), 237);
    let missing: Vec<_> = needed.difference(&covered).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Where the SDK dials as it always does and the filter routes the call.
#[test]
fn the_table_has_every_pair_of_versions_and_serialization_routed() {
    let routed = |one: &&Combination| one.is_routed() && one.dials == Dials::Provider;
    let key = |one: &Combination| {
        let [consumer, provider, serialization, ..] = one.choices();
        (consumer, provider, serialization)
    };
    let covered: BTreeSet<_> = TABLE.iter().filter(routed).map(key).collect();
    let needed: BTreeSet<_> = feasible().iter().filter(routed).map(key).collect();
    assert_eq!((covered, 25 + 4), (needed.clone(), needed.len()));
}

/// The pairs that no combination has; what else is infeasible needs three choices.
#[test]
fn what_excludes_each_other_is_known() {
    let impossible: Vec<_> = pairs(&everything())
        .difference(&pairs(&feasible()))
        .map(|(first, second)| format!("{first} and {second}"))
        .collect();
    let expected = [
        "callee Bare and Strict",
        "caller Bare and Strict",
        "caller Bare and dials Service",
        "consumer V2_6 and Fastjson2",
        "consumer V2_7 and Fastjson2",
        "consumer V3_1 and Fastjson2",
        "provider V2_6 and Fastjson2",
        "provider V2_7 and Fastjson2",
        "provider V3_1 and Fastjson2",
    ];
    assert_eq!(impossible, expected);
}
