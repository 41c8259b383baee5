//! Dubbo in mutual TLS, with nothing of ours at the provider's.

use support::{CallAnswer, DubboVersion, isolated};

use super::super::complaints;
use super::super::traffic::carried;
use super::{GREETING, HOST, OUTBOUND, STRICT, Settings, Sidecars};

#[test]
fn calls_are_encrypted_between_sidecars_that_agree_on_it() {
    isolated(async || {
        let mesh = Sidecars::start(Settings::default()).await;
        encrypted(&mesh).await;
        // Plain text is taken as well, so that it is the sidecars' choice.
        let answer = mesh.provider.plainly("greet", "World").await;
        let expected = CallAnswer {
            status: 20,
            text: "hello World from greeter".to_owned(),
        };
        assert_eq!(answer, Ok(expected));
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
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
        let answer = mesh.provider.plainly("greet", "World").await;
        assert!(answer.is_err(), "{answer:?}");
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
    });
}

/// An operator may list a port of providers before their pods are made anew: those without the module
/// are left as they are, and per-call policies wait.
#[test]
fn a_provider_without_the_module_is_left_alone() {
    isolated(async || {
        let mesh = Sidecars::start(Settings {
            filter: "{providers: [{ports: [20880], namespaces: [pay]}]}",
            ..Settings::default()
        })
        .await;
        let sent = mesh.istiod.configs("EnvoyFilter").await.unwrap();
        let of_provider = |config: &serde_json::Value| config["metadata"]["namespace"] == "pay";
        assert!(sent.iter().any(of_provider), "{sent:?}");
        encrypted(&mesh).await;
        let config = mesh.provider.envoy.page("/config_dump").await.unwrap();
        assert!(!config.contains("dubbo_proxy_filter"));
    });
}

/// Calls of two versions are answered by the published service, and every connection between the
/// sidecars is TLS that ends in the provider's TCP chain.
async fn encrypted(mesh: &Sidecars) {
    for version in [DubboVersion::V2_7, DubboVersion::V3_3] {
        let mut caller = mesh.caller.calling(version).await;
        for _ in 0..3 {
            assert_eq!(caller.call("greet World").await, GREETING);
        }
    }
    assert_eq!(carried(&mesh.caller.envoy, OUTBOUND, "rq_total").await, 6);
    let connections = carried(&mesh.caller.envoy, OUTBOUND, "cx_total").await;
    assert_ne!(connections, 0);
    let sent = format!("cluster.outbound|20880||{HOST};.ssl.handshake");
    assert_eq!(mesh.caller.stat(&sent).await, connections);
    for taken in [
        "listener.0.0.0.0_15006.ssl.handshake",
        "tcp.InboundPassthroughCluster.downstream_cx_total",
    ] {
        assert_eq!(mesh.provider.stat(taken).await, connections, "{taken}");
    }
}
