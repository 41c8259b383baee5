//! Everything between the registry and the caller's sidecar.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use support::{
    DubboMesh, Envoy, EnvoySettings, GATEWAY, Istiod, IstiodSettings, ZooKeeper, module_dir,
    wait_until, without_certificates, work_dir,
};

use super::pods::{PORT, Pods};
use crate::provider::at;

/// Until everybody has started.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Mesh {
    /// Where istiod, and we, are told what is in the registry.
    pub(crate) source: SocketAddr,
    adapter: DubboMesh,
    istiod: Istiod,
    envoy: Envoy,
}

impl Mesh {
    /// The sidecar has the listener of the providers' port, with the filter.
    pub(crate) async fn start(zookeeper: &ZooKeeper, pods: &Pods, debounce: Option<&str>) -> Self {
        let config = work_dir().join("config.yaml");
        let text =
            format!("ports: {{http2: [{{ports: [{PORT}], namespaces: [shop]}}]}}\nfilter: {{}}\n");
        fs::write(&config, text).expect("a directory");
        let config = config.to_str().expect("a path in UTF-8");
        let registry = zookeeper.registry();
        let arguments = ["serve", "--registry", &registry, "--config", config];
        let mut adapter = DubboMesh::launch(&arguments);
        let listens = |line: &str| line.contains("waiting for control planes");
        adapter.process().wait_for_line(0, PATIENCE, listens).await;
        let mut settings =
            IstiodSettings::new(&["xds://127.0.0.1:18848"]).kubernetes(without_certificates());
        if let Some(debounce) = debounce {
            settings = settings.environment("PILOT_DEBOUNCE_AFTER", debounce);
        }
        let istiod = settings.start().await;
        let address = SocketAddr::from((GATEWAY, istiod.xds_address().port()));
        let envoy = EnvoySettings::sidecar("caller", "shop", address)
            .metadata("DUBBO_MESH", json!("1"))
            .modules(module_dir())
            .inside(&pods.caller)
            .start()
            .await;
        wait_until("the listener with the filter", PATIENCE, async || {
            let listeners = envoy
                .page("/config_dump?resource=dynamic_listeners")
                .await?;
            let there = listeners.contains("0.0.0.0_20880") && listeners.contains("dubbo_to_http2");
            there.then_some(()).ok_or(listeners)
        })
        .await;
        Self {
            source: at(18848),
            adapter,
            istiod,
            envoy,
        }
    }

    /// istiod as well: the next one needs its ports.
    pub(crate) async fn stop(self) {
        self.envoy.stop().await;
        drop(self.istiod);
        let status = self.adapter.stop().await;
        assert!(status.success(), "dubbo-mesh ended with {status}");
    }
}
