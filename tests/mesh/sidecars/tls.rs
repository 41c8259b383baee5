//! Dubbo in mutual TLS, with nothing of ours at the provider's.

use support::{DubboVersion, isolated};

use super::super::complaints;
use super::super::traffic::carried;
use super::{HOST, OUTBOUND, Settings, Sidecars};

/// All namespaces take nothing but mutual TLS.
const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
";

#[test]
fn calls_are_encrypted_between_sidecars_that_agree_on_it() {
    isolated(async || {
        let mesh = Sidecars::start(Settings::default()).await;
        encrypted(&mesh).await;
    });
}

#[test]
fn calls_are_answered_where_nothing_but_mutual_tls_is_taken() {
    isolated(async || {
        let mesh = Sidecars::start(Settings {
            resources: STRICT,
            ..Settings::default()
        })
        .await;
        encrypted(&mesh).await;
    });
}

/// Calls of two versions are answered by the published service, and every connection between the
/// sidecars is TLS that ends in the provider's TCP chain.
async fn encrypted(mesh: &Sidecars) {
    for version in [DubboVersion::V2_7, DubboVersion::V3_3] {
        let mut caller = mesh.caller.calling(version).await;
        for _ in 0..3 {
            let answer = caller.call("greet World").await;
            assert_eq!(answer, "RESULT hello World from greeter");
        }
    }
    assert_eq!(carried(&mesh.caller.envoy, OUTBOUND, "rq_total").await, 6);
    fs_dump(mesh).await;
    let handshakes = mesh
        .caller
        .stat(&format!("cluster.outbound|20880||{HOST};.ssl.handshake"))
        .await;
    let connections = carried(&mesh.caller.envoy, OUTBOUND, "cx_total").await;
    assert_eq!(handshakes, connections);
    assert_eq!(complaints(&mesh.istiod), [""; 0]);
}

async fn fs_dump(mesh: &Sidecars) {
    for (name, pod) in [("caller", &mesh.caller), ("provider", &mesh.provider)] {
        for page in ["stats", "config_dump", "clusters", "listeners"] {
            let text = pod.envoy.page(&format!("/{page}")).await.unwrap();
            std::fs::write(support::work_dir().join(format!("{name}-{page}")), text).unwrap();
        }
    }
}
