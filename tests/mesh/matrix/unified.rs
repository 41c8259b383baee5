//! Triple and Dubbo on one port, as providers from 3.2 on have them: Dubbo is routed by the filter, and Triple
//! goes on as it did.

use support::DubboVersion;

use super::Trial;
use super::access::Seen;
use super::combination::{Combination, Dials, End, Mode, Mtls, Serialization};
use super::expected::one;
use super::place::Place;

/// What a consumer asks the registry for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Dubbo,
    Triple,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dubbo => "dubbo",
            Self::Triple => "tri",
        }
    }
}

/// Every pair of the versions that can, with each protocol. Consumers of 3.2 do not find the Triple of a
/// provider of 3.3 in a registry, which has it in a parameter that they do not know.
pub(super) fn trials() -> Vec<Trial> {
    let versions = [DubboVersion::V3_2, DubboVersion::V3_3];
    let mut trials = Vec::new();
    for consumer in versions {
        for provider in versions {
            for protocol in [Protocol::Dubbo, Protocol::Triple] {
                let finds = (consumer, provider) != (DubboVersion::V3_2, DubboVersion::V3_3);
                if protocol == Protocol::Triple && !finds {
                    continue;
                }
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

/// What the caller's sidecar sees of Triple: requests that say which address they are for.
pub(super) fn at_caller() -> Seen {
    let methods = [
        "$echo",
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
    let path = |method: &&str| format!("/com.acme.Sampler/{method}");
    Seen {
        clusters: one("PassthroughCluster"),
        paths: methods.iter().map(path).collect(),
        serializations: one("-"),
        peers: one("-"),
    }
}
