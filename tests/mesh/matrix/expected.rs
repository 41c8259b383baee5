//! What a row of the matrix has to show: by what the mesh promises, and by what Java makes of the calls.

use std::collections::BTreeSet;

use super::access::Seen;
use super::combination::{Combination, Dials, End, Serialization};
use super::place::Place;

/// The methods that are called, as their requests name them: of a generic call the one that is meant.
const METHODS: [&str; 11] = [
    "$echo",
    "attachments",
    "breakDown",
    "deliver",
    "fly",
    "mirror",
    "note",
    "noted",
    "nothing",
    "reject",
    "say",
];

/// What the caller's sidecar sees.
pub(super) fn at_caller(row: &Combination, place: &Place) -> Seen {
    if row.caller == End::Bare {
        return Seen::default();
    }
    if row.is_routed() {
        return requests(row, &place.outbound(), "-");
    }
    match row.dials {
        Dials::Service => connection(&place.outbound(), "-"),
        Dials::Provider => connection("PassthroughCluster", "-"),
    }
}

/// What the provider's sidecar sees.
pub(super) fn at_callee(row: &Combination, place: &Place) -> Seen {
    // What is sent by the cluster of the service is encrypted.
    let by_its_cluster = row.is_routed() || row.dials == Dials::Service;
    let peer = match by_its_cluster {
        true => format!("spiffe://cluster.local/ns/shop/sa/{}", sidecar(row.caller)),
        false => "-".to_owned(),
    };
    match row.callee {
        End::Bare => Seen::default(),
        End::Sidecar => connection("InboundPassthroughCluster", &peer),
        End::Filter => requests(row, &format!("inbound|{}||", place.address.port()), &peer),
    }
}

/// The service account of the caller's pod.
fn sidecar(caller: End) -> &'static str {
    match caller {
        End::Bare => "bare",
        End::Sidecar => "plain",
        End::Filter => "filtered",
    }
}

fn connection(cluster: &str, peer: &str) -> Seen {
    Seen {
        clusters: one(cluster),
        paths: one("-"),
        serializations: one("-"),
        peers: one(peer),
    }
}

fn requests(row: &Combination, cluster: &str, peer: &str) -> Seen {
    let path = |method: &&str| format!("/com.acme.Sampler/{method}");
    let serialization = match row.serialization {
        Serialization::Hessian2 => "hessian2",
        Serialization::Fastjson2 => "fastjson2",
    };
    Seen {
        clusters: one(cluster),
        paths: METHODS.iter().map(path).collect(),
        serializations: one(serialization),
        peers: one(peer),
    }
}

fn one(text: &str) -> BTreeSet<String> {
    BTreeSet::from([text.to_owned()])
}

/// Lines that the outcomes have to have.
pub(super) fn outcomes(_row: &Combination) -> Vec<String> {
    Vec::new()
}
