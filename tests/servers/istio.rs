//! istiod and Envoy: they start, and they fit each other.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use support::{EnvoySettings, GATEWAY, IstiodSettings, Namespace, isolated, wait_until};

#[test]
fn istiod_is_ready_without_a_cluster() {
    isolated(async || {
        let mut istiod = IstiodSettings::new(&[]).start().await;
        assert!(istiod.is_ready().await);
        assert_eq!(istiod.configz().await.unwrap(), Vec::<Value>::new());
        assert!(istiod.metric("go_goroutines", "").await.unwrap() > 10.0);
        istiod.restart().await;
        assert!(istiod.is_ready().await);
    });
}

/// What a test puts into the cluster, istiod finds there.
#[test]
fn istiod_knows_the_services_of_its_cluster() {
    isolated(async || {
        let meta = |name: &str| json!({"name": name, "namespace": "acme", "uid": name, "resourceVersion": "1"});
        let namespace = json!({"kind": "Namespace", "metadata": {"name": "acme", "uid": "acme"}});
        let service = json!({"kind": "Service", "metadata": meta("greeter"), "spec": {
            "type": "ClusterIP", "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"],
            "ports": [{"name": "dubbo", "port": 20880, "protocol": "TCP", "appProtocol": "http2"}],
        }});
        let istiod = IstiodSettings::new(&[])
            .kubernetes(vec![namespace, service])
            .start()
            .await;
        let services = istiod.json("/debug/registryz").await.unwrap();
        let hosts: Vec<&Value> = services
            .as_array()
            .unwrap()
            .iter()
            .map(|service| &service["hostname"])
            .collect();
        assert_eq!(hosts, ["greeter.acme.svc.cluster.local"]);
    });
}

#[test]
fn istiod_ends_when_its_source_does_not_listen() {
    isolated(async || {
        let mut istiod = IstiodSettings::new(&["xds://127.0.0.1:18848"])
            .launch()
            .await;
        assert!(!istiod.wait_for_end().await.success());
        let log = istiod.process().log();
        assert!(log.contains("MCP: failed running"), "{log}");
    });
}

/// Stock Envoy takes what istiod makes: the proof that the two versions fit, and
/// that no filter is asked for that only Istio's proxy has.
#[test]
fn envoy_takes_its_configuration_from_istiod() {
    isolated(async || {
        let istiod = IstiodSettings::new(&[]).start().await;
        let mut envoy = EnvoySettings::sidecar("app", "acme", istiod.xds_address())
            .start()
            .await;
        envoy.wait_until_ready().await;
        assert_eq!(
            envoy.stat("cluster_manager.cds.update_rejected").await,
            Ok(0)
        );
        assert_eq!(
            envoy.stat("listener_manager.lds.update_rejected").await,
            Ok(0)
        );
        let clusters = envoy.page("/clusters").await.unwrap();
        assert!(clusters.contains("BlackHoleCluster::"), "{clusters}");
        envoy.stop().await;
    });
}

/// A pod's sidecar as in a cluster: its own address, iptables, its own user.
/// What the pod sends to an address that nobody has arrives at Envoy.
#[test]
fn a_pods_connections_are_redirected_to_its_sidecar() {
    isolated(async || {
        let pod = Namespace::new("pod", 1);
        pod.redirect_to_sidecar();
        let istiod = IstiodSettings::new(&[]).start().await;
        let address = SocketAddr::from((GATEWAY, istiod.xds_address().port()));
        // Until a policy comes by configuration, its inbound listener wants
        // certificates and it stays in its initialization: so not "ready".
        let envoy = EnvoySettings::sidecar("app", "acme", address)
            .inside(&pod)
            .start()
            .await;
        wait_until(
            "the outbound listener",
            Duration::from_secs(60),
            async || {
                let listeners = envoy.page("/listeners").await?;
                if listeners.contains("virtualOutbound::0.0.0.0:15001") {
                    Ok(())
                } else {
                    Err(listeners)
                }
            },
        )
        .await;
    });
}

#[test]
fn envoy_serves_a_bootstrap_of_the_tests_own() {
    isolated(async || {
        let bootstrap = json!({"static_resources": {"clusters": [{
            "name": "backend", "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 20880}}}}
            ]}]},
        }]}});
        let mut envoy = EnvoySettings::new("envoy", bootstrap).start().await;
        envoy.wait_until_ready().await;
        let info = envoy.json("/server_info").await.unwrap();
        assert!(
            info["version"].as_str().unwrap().contains("/1.40.0/"),
            "{info}"
        );
        assert_eq!(
            envoy.endpoints("backend").await.unwrap(),
            ["127.0.0.1:20880"]
        );
    });
}
