//! A server of the test's own, and things to publish.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dubbo_mcp_server::server::{Server, Settings};
use dubbo_mcp_server::snapshot::Snapshot;
use dubbo_mcp_server::telemetry::{ClientView, Telemetry};
use dubbo_registry::proto::{ServiceEntry, ServicePort, WorkloadEntry};
use dubbo_registry::resource::{Change, Kind, Object, Resource};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::wire::PATIENCE;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) publish: watch::Sender<Option<Arc<Snapshot>>>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) telemetry: Telemetry,
    pub(crate) metrics: Arc<Registry>,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(settings: Settings, first: Option<Snapshot>) -> Self {
        let mut registry = Registry::default();
        let telemetry = Telemetry::new(&mut registry);
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::bind(any_port, settings, telemetry.clone())
            .await
            .unwrap();
        let (publish, published) = watch::channel(first.map(Arc::new));
        let (stop, stopped) = watch::channel(false);
        Self {
            address: server.local_addr().unwrap(),
            publish,
            stop,
            telemetry,
            metrics: Arc::new(registry),
            task: tokio::spawn(server.run(published, stopped)),
        }
    }

    pub(crate) async fn with(first: Option<Snapshot>) -> Self {
        Self::start(Settings::default(), first).await
    }

    pub(crate) fn publish(&self, snapshot: &Snapshot) {
        self.publish.send_replace(Some(Arc::new(snapshot.clone())));
    }

    /// The value of a metric's only sample, or of the one with this label.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.metrics).unwrap();
        let sample = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        page.lines().find_map(sample).unwrap_or(0.0)
    }

    /// Waits until the server sees its clients so.
    pub(crate) async fn until(&self, what: &str, seen: impl Fn(&[ClientView]) -> bool) {
        until(what, || seen(&self.telemetry.clients())).await;
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

pub(crate) async fn until(what: &str, seen: impl Fn() -> bool) {
    let waiting = async {
        while !seen() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "not seen: {what}");
}

/// A ServiceEntry with one endpoint per last byte of its address, and a label of this size.
pub(crate) fn service(name: &str, endpoints: &[u8], padding: usize) -> Change {
    let endpoint = |last: &u8| WorkloadEntry {
        address: format!("10.0.0.{last}"),
        ports: [("dubbo".to_owned(), 20880)].into(),
        ..WorkloadEntry::default()
    };
    let spec = ServiceEntry {
        hosts: vec![format!("{name}.dubbo")],
        ports: vec![ServicePort {
            number: 20880,
            protocol: "HTTP2".into(),
            name: "dubbo".into(),
            target_port: 0,
        }],
        resolution: 1,
        endpoints: endpoints.iter().map(endpoint).collect(),
        ..ServiceEntry::default()
    };
    let object = Object {
        namespace: "dubbo".into(),
        name: name.into(),
        labels: Default::default(),
        annotations: [("padding".to_owned(), "x".repeat(padding))].into(),
        spec,
    };
    let resource = Resource::from(&object);
    Change {
        kind: Kind::ServiceEntry,
        name: Arc::clone(&resource.name),
        resource: Some(resource),
    }
}

pub(crate) fn gone(name: &str) -> Change {
    Change {
        kind: Kind::ServiceEntry,
        name: format!("dubbo/{name}").into(),
        resource: None,
    }
}

pub(crate) fn snapshot(changes: Vec<Change>) -> Snapshot {
    Snapshot::empty().with(changes).0
}

/// Some megabytes of services.
pub(crate) fn megabytes(count: usize) -> Snapshot {
    let services = (0..count * 1000).map(|n| service(&format!("svc{n}"), &[1], 1000));
    snapshot(services.collect())
}
