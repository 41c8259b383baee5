//! What a port in http2 mode costs each sidecar that routes it. Pure.
//!
//! Measured, with one endpoint for each of 1, 200 and 400 services, and with 5 and 10 of them, in an
//! Envoy 1.40 that keeps the statistics that Istio keeps by default: memory is linear in both. Where
//! all statistics are kept a cluster takes 70 kB instead. `tests/mesh/cost.rs` holds it to that.

/// Memory of Envoy for a cluster with its virtual host and its load assignment.
const PER_CLUSTER: u64 = 40_000;
/// Memory of Envoy for an endpoint.
const PER_ENDPOINT: u64 = 6_000;

/// Memory of Envoy for so many clusters with so many endpoints in all.
pub(super) fn bytes(clusters: usize, endpoints: usize) -> u64 {
    clusters as u64 * PER_CLUSTER + endpoints as u64 * PER_ENDPOINT
}
