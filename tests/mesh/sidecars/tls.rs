//! Dubbo in mutual TLS, with nothing of ours at the provider's.

use support::{Call, CallAnswer, DubboVersion, WireConsumer, create, isolated};
use zookeeper_client::CreateMode;

use super::super::traffic::carried;
use super::super::{becomes, complaints};
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

/// Who answers with another certificate than `workloads` says is not talked to.
#[test]
fn a_provider_has_to_be_who_it_is_said_to_be() {
    isolated(async || {
        let mesh = Sidecars::start(Settings {
            workloads:
                "{applications: [impostor], identity: spiffe://cluster.local/ns/pay/sa/other},
              {identity: spiffe://cluster.local/ns/pay/sa/provider}, ",
            ..Settings::default()
        })
        .await;
        // At the same address, of an application that should have another account.
        let url = format!(
            "dubbo%3A%2F%2F{}%2Fcom.acme.Orders%3Finterface%3Dcom.acme.Orders%26application%3Dimpostor",
            mesh.provider.dubbo()
        );
        let path = format!("/dubbo/com.acme.Orders/providers/{url}");
        let registry = mesh.zookeeper.client().await;
        create(&registry, &path, "", CreateMode::Persistent).await;
        let orders = "outbound|20880||com.acme.orders.dubbo";
        becomes(
            "the other service",
            vec![mesh.provider.dubbo().to_string()],
            async || mesh.caller.envoy.endpoints(orders).await,
        )
        .await;
        let caller = WireConsumer::connect_from(&mesh.caller.network, mesh.provider.dubbo());
        let greet = Call::new("com.acme.Greeter", "greet", "World");
        let answer = caller.call(&greet).await.unwrap();
        let refused = caller
            .call(&Call::new("com.acme.Orders", "place", "tea"))
            .await
            .unwrap();
        assert_eq!(answer.status, 20, "{answer:?}");
        assert_eq!(refused.status, 80, "{refused:?}");
        let wrong = |cluster: &str| format!("cluster.{cluster};.ssl.fail_verify_san");
        assert_eq!(mesh.caller.stat(&wrong(OUTBOUND)).await, 0);
        assert_ne!(mesh.caller.stat(&wrong(orders)).await, 0);
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
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
