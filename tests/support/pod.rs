//! Pods and their Services, as Kubernetes would tell istiod of them.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

const NODE: &str = "node";

/// A pod that runs: its namespace, the node, itself, with the label `app` and the service account of
/// its name.
#[must_use]
pub fn pod(name: &str, namespace: &str, address: Ipv4Addr) -> Vec<Value> {
    vec![
        object("Namespace", namespace, None, json!({})),
        object(
            "Node",
            NODE,
            None,
            json!({"status": {"addresses": [{"type": "InternalIP", "address": "10.77.0.250"}]}}),
        ),
        object(
            "Pod",
            name,
            Some(namespace),
            json!({
                "metadata": {"labels": {"app": name}},
                "spec": {"nodeName": NODE, "serviceAccountName": name, "containers": [{"name": "main"}]},
                "status": {
                    "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }),
        ),
    ]
}

/// The headless Service of that pod, with ports of this `appProtocol` (none if it is empty), and its
/// endpoint.
#[must_use]
pub fn service_of_pod(
    name: &str,
    namespace: &str,
    address: Ipv4Addr,
    ports: &[u16],
    protocol: &str,
) -> Vec<Value> {
    let open = |port: &u16| {
        let name = format!("dubbo-{port}");
        let mut open = json!({"name": name, "port": port, "protocol": "TCP"});
        if !protocol.is_empty() {
            open["appProtocol"] = json!(protocol);
        }
        open
    };
    let with_target = |port: &u16| {
        let mut service_port = open(port);
        service_port["targetPort"] = json!(port);
        service_port
    };
    vec![
        object(
            "Service",
            name,
            Some(namespace),
            json!({"spec": {
                "type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"],
                "selector": {"app": name}, "ports": ports.iter().map(with_target).collect::<Value>(),
            }}),
        ),
        object(
            "EndpointSlice",
            name,
            Some(namespace),
            json!({
                "metadata": {"labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4", "ports": ports.iter().map(open).collect::<Value>(),
                "endpoints": [{
                    "addresses": [address], "conditions": {"ready": true, "serving": true},
                    "targetRef": {"kind": "Pod", "name": name, "namespace": namespace},
                }],
            }),
        ),
    ]
}

/// An object with what all of them have; `rest` may bring `metadata` of its own.
fn object(kind: &str, name: &str, namespace: Option<&str>, mut rest: Value) -> Value {
    let mut metadata = rest["metadata"].take();
    if metadata.is_null() {
        metadata = Value::Object(Map::new());
    }
    metadata["name"] = json!(name);
    metadata["uid"] = json!(format!("{kind}-{name}"));
    metadata["resourceVersion"] = json!("1");
    metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    rest["kind"] = json!(kind);
    rest["metadata"] = metadata;
    rest
}
