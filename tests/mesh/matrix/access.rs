//! The access log that all sidecars of the matrix write, and what it says of one combination.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

/// A file that all of them may write.
pub(super) const LOG: &str = "/mnt/access.log";
/// Istio's `accessLogFormat`: a connection, or a request, a line.
pub(super) const FORMAT: &str = "%ENVIRONMENT(POD)% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% \
%DOWNSTREAM_LOCAL_ADDRESS% %UPSTREAM_CLUSTER_RAW% %REQ(:PATH)% %REQ(DUBBO-SERIALIZATION)% \
%DOWNSTREAM_PEER_URI_SAN%\n";

/// Where the log ends now.
pub(super) fn end() -> usize {
    fs::read(LOG).unwrap().len()
}

/// What a sidecar did with the connections and requests of a caller to an address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// The clusters that carried them.
    pub(super) clusters: BTreeSet<String>,
    /// The paths of requests; `-` is a connection.
    pub(super) paths: BTreeSet<String>,
    /// The serializations of requests, as the filter read them; `-` is a connection.
    pub(super) serializations: BTreeSet<String>,
    /// Who the caller was by its certificate; `-` is nobody.
    pub(super) peers: BTreeSet<String>,
}

/// What the sidecar of `pod` logged from `since` on of what `caller` sent to `address`.
pub(super) fn seen(since: usize, pod: &str, caller: Ipv4Addr, address: SocketAddr) -> Seen {
    let log = fs::read_to_string(LOG).unwrap();
    let mut seen = Seen::default();
    let prefix = format!("{pod} {caller} {address} ");
    for line in log[since..].lines() {
        let Some(rest) = line.strip_prefix(&prefix) else {
            continue;
        };
        let [cluster, path, serialization, peer] = rest.split(' ').collect::<Vec<_>>()[..] else {
            // Its end is not there yet.
            continue;
        };
        seen.clusters.insert(cluster.to_owned());
        seen.paths.insert(path.to_owned());
        seen.serializations.insert(serialization.to_owned());
        seen.peers.insert(peer.to_owned());
    }
    seen
}

/// The clusters that carried what the sidecar of `pod` logged of `address`, from `since` on, in order.
pub(super) fn clusters(since: usize, pod: &str, address: SocketAddr) -> Vec<String> {
    let log = fs::read_to_string(LOG).unwrap();
    let cluster = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let fits = words.len() > 3 && words[0] == pod && words[2] == address.to_string();
        fits.then(|| words[3].to_owned())
    };
    log[since..].lines().filter_map(cluster).collect()
}
