//! Triple and Dubbo on one port, as providers from 3.2 on have them: Dubbo is routed by the filter, and Triple
//! goes on as it did.

use support::DubboVersion;

use super::Trial;
use super::access::Seen;
use super::combination::{Combination, Dials, End, Mode, Mtls, Serialization};
use super::expected::{self, one};
use super::place::Place;

/// What a consumer asks the registry for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Dubbo,
    Triple,
}

/// Every pair of the versions that can, with each protocol. The references of Triple have a URL: consumers of
/// 3.2 do not find it in what a provider of 3.3 registers, which names it in a parameter.
pub(super) fn trials() -> Vec<Trial> {
    let versions = [DubboVersion::V3_2, DubboVersion::V3_3];
    let mut trials = Vec::new();
    for consumer in versions {
        for provider in versions {
            for protocol in [Protocol::Dubbo, Protocol::Triple] {
                let row = Combination {
                    consumer,
                    provider,
                    serialization: Serialization::Hessian2,
                    caller: End::Filter,
                    callee: End::Bare,
                    mode: Mode::Http2,
                    mtls: Mtls::Permissive,
                    dials: Dials::Provider,
                };
                trials.push(Trial {
                    row,
                    place: Place::unified(provider),
                    protocol: Some(protocol),
                });
            }
        }
    }
    trials
}

/// What the caller's sidecar sees of Triple: requests that say which address they are for. 3.2 cannot
/// ask for `$echo`.
pub(super) fn at_caller(consumer: DubboVersion) -> Seen {
    let mut methods = vec![
        "$invoke",
        "attachments",
        "breakDown",
        "deliver",
        "mirror",
        "note",
        "noted",
        "nothing",
        "reject",
        "say",
    ];
    if consumer == DubboVersion::V3_3 {
        methods.push("$echo");
    }
    let path = |method: &&str| format!("/com.acme.Sampler/{method}");
    Seen {
        clusters: one("PassthroughCluster"),
        paths: methods.iter().map(path).collect(),
        serializations: one("-"),
        peers: one("-"),
    }
}

/// What its calls have to answer: as Dubbo's, but for what its headers cannot say, and what it does not have.
pub(super) fn outcomes(row: &Combination) -> Vec<String> {
    let others = ["attachments ", "echo ", "unknown-method "];
    let mut outcomes = expected::outcomes(row);
    outcomes.retain(|line| !others.iter().any(|other| line.starts_with(other)));
    outcomes
}

/// An outcome without what Envoy adds to every HTTP request, which Triple shows as attachments.
pub(super) fn without_headers_of_envoy(outcome: &str) -> String {
    let is_envoys = |part: &&str| {
        let [envoy, proto, id] = ["x-envoy-", "x-forwarded-proto=", "x-request-id="];
        part.starts_with(envoy) || part.starts_with(proto) || part.starts_with(id)
    };
    let Some((attachments, answer)) = outcome.split_once('}') else {
        return outcome.to_owned();
    };
    let parts: Vec<&str> = attachments
        .split(", ")
        .filter(|part| !is_envoys(part))
        .collect();
    format!("{}}}{answer}", parts.join(", "))
}
