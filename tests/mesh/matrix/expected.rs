//! What a row of the matrix has to show: by what the mesh promises, and by what Java makes of the calls.

use std::collections::BTreeSet;

use support::DubboVersion;

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
    Seen {
        clusters: one(cluster),
        paths: METHODS.iter().map(path).collect(),
        serializations: one(row.serialization.name()),
        peers: one(peer),
    }
}

pub(super) fn one(text: &str) -> BTreeSet<String> {
    BTreeSet::from([text.to_owned()])
}

/// The outcomes of the calls: as the sources of the service and its consumer say, whatever is in between.
pub(super) fn outcomes(row: &Combination) -> Vec<String> {
    let (text, at) = (
        r#"Wörld 世界 😀 "quoted" \ "#.to_owned() + "\t.",
        row.provider.number(),
    );
    let inner =
        "label=里面 kind=null price=null sent=null stamps=[] weights={} inner=[null] note=null";
    let parcel = |stamps: &str, note: &str| {
        format!(
            "label={text} kind=BOX price=12345678901234567890.50 sent=1700000000123 stamps=[one, 二, null{stamps}] \
             weights={{least=-9223372036854775808, most=9223372036854775807}} inner=[{inner}] note={note}"
        )
    };
    let object = parcel(
        &format!(", {at}"),
        &format!("read by {at}: {}", parcel("", "null")),
    );
    let loose = format!(
        "label={text} kind=LETTER price=null sent=null stamps=[one] weights={{}} inner=[null] note=null"
    );
    vec![
        format!("object RESULT {object}"),
        format!("text RESULT {text}"),
        "empty RESULT []".to_owned(),
        "null-argument RESULT null".to_owned(),
        "null-result RESULT null".to_owned(),
        format!("declared-exception THROWN com.acme.Rejected: no {text}"),
        "other-exception THROWN java.lang.IllegalStateException: worn out".to_owned(),
        attachments(row),
        "after-attachments RESULT again".to_owned(),
        "async RESULT later".to_owned(),
        async_exception(row.consumer),
        "one-way RESULT true".to_owned(),
        // Computed with zlib.
        "large RESULT 1048576 bytes, fd40aa98".to_owned(),
        format!("echo RESULT {text}"),
        format!("generic-text RESULT {text}"),
        format!(
            "generic-object RESULT {{class=com.acme.Parcel, inner=null, kind=LETTER, label={text}, note=read by {at}: \
             {loose}, price=null, sent=null, stamps=[one, {at}], weights={{}}}}"
        ),
        "generic-exception THROWN generic com.acme.Rejected: no".to_owned(),
        "unknown-method THROWN RpcException 1".to_owned(),
    ]
}

/// The future of 2.6 wraps what the method declares.
fn async_exception(consumer: DubboVersion) -> String {
    let thrown = match consumer {
        DubboVersion::V2_6 => "RpcException 0 by com.acme.Rejected",
        _ => "com.acme.Rejected: later",
    };
    format!("async-exception THROWN {thrown}")
}

/// Request attachments as the provider sees them, and the response's as the consumer does.
fn attachments(row: &Combination) -> String {
    // The bytes of the request's body less the group, as Dubbo itself sends them, which tells the
    // serialization.
    let input = match (row.consumer, row.serialization) {
        (DubboVersion::V2_6, _) => 210,
        (DubboVersion::V2_7, _) => 224,
        (_, Serialization::Hessian2) => 238,
        (_, Serialization::Fastjson2) => 265,
    };
    // 2.6 shows its applications one more, and other consumers than 2.6 say who they are.
    let interface = match row.provider {
        DubboVersion::V2_6 => "interface=com.acme.Sampler, ",
        _ => "",
    };
    let application = match row.consumer {
        DubboVersion::V2_6 => "",
        _ => "remote.application=acme-web, ",
    };
    // 2.7 does not show what 2.6 answers where its reference has a URL.
    let answer = match (row.consumer, row.provider, row.dials) {
        (DubboVersion::V2_7, DubboVersion::V2_6, Dials::Service) => "null",
        _ => "好",
    };
    format!(
        "attachments RESULT {{color=red, input={input}, {interface}region=杭州, {application}unlisted= as it is }} \
         answer={answer}"
    )
}
