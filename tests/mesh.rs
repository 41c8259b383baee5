//! The main job, with nothing but real parts: Dubbo registers in ZooKeeper,
//! `dubbo-mesh` tells istiod, istiod tells Envoy.
//!
//! ```text
//! Dubbo for Java → ZooKeeper → dubbo-mesh :18848 → istiod :15010 → Envoy
//! ```

mod cost;
mod demo;
mod features;
mod filters;
mod hostile;
mod instants;
mod living;
mod matrix;
mod members;
mod picked;
mod production;
mod pushes;
mod routed;
mod scale;
mod sidecars;
mod tls;
mod traffic;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use support::{DubboMesh, Istiod, get, wait_until, without_certificates};

/// Where `dubbo-mesh` waits for istiod.
const SOURCE: &str = "xds://127.0.0.1:18848";
/// Long enough for a busy machine; what is measured is measured in benches/.
const SOON: Duration = Duration::from_secs(30);
/// The namespace of our objects.
const NAMESPACE: &str = "dubbo-mesh-services";

/// Starts `dubbo-mesh serve` with these arguments besides, and waits until it
/// listens.
async fn serve(arguments: &[&str]) -> DubboMesh {
    let mut mesh = DubboMesh::launch(&[&["serve"], arguments].concat());
    let listens = |line: &str| line.contains("waiting for control planes");
    mesh.process().wait_for_line(0, SOON, listens).await;
    mesh
}

/// A page of its admin port.
async fn admin(path: &str) -> Result<Value, String> {
    let answer = get(SocketAddr::from((Ipv4Addr::LOCALHOST, 18849)), path).await?;
    serde_json::from_str(&answer.body).map_err(|error| format!("{path}: {error}: {}", answer.body))
}

/// Waits until a probe gives exactly this.
async fn becomes<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: T,
    mut probe: impl AsyncFnMut() -> Result<T, String>,
) {
    wait_until(what, SOON, async || match probe().await? {
        seen if seen == expected => Ok(()),
        seen => Err(format!("{seen:?}\ninstead of {expected:?}")),
    })
    .await;
}

/// Our ServiceEntries as istiod holds them: name, and endpoints as
/// `address:port of the first port name`.
async fn entries(istiod: &Istiod) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut entries: Vec<_> = istiod
        .configs("ServiceEntry")
        .await?
        .iter()
        .map(entry)
        .collect();
    entries.sort();
    Ok(entries)
}

fn entry(config: &Value) -> (String, Vec<String>) {
    assert_eq!(config["metadata"]["namespace"], NAMESPACE, "{config}");
    let name = config["metadata"]["name"].as_str().unwrap().to_owned();
    let endpoints = config["spec"]["endpoints"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let address = |endpoint: &Value| {
        let ports = endpoint["ports"].as_object().unwrap();
        let port = ports.values().next().unwrap();
        format!("{}:{port}", endpoint["address"].as_str().unwrap())
    };
    (name, endpoints.iter().map(address).collect())
}

/// What istiod's client for configuration sources complained about.
fn complaints(istiod: &Istiod) -> Vec<String> {
    let log = istiod.process().log();
    let bad = |line: &&str| {
        let words = [
            "Error adding",
            "Error updating",
            "Invalid data",
            "invalid",
            "validation",
        ];
        line.contains("adsc") && words.iter().any(|word| line.contains(word))
    };
    log.lines().filter(bad).map(str::to_owned).collect()
}
