//! A `dubbo-mesh serve` that is measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use dubbo_mesh_benches::Client;
use support::{DubboMesh, get};

/// Until it accepts connections.
const PATIENCE: Duration = Duration::from_secs(60);

/// The process. It is killed when dropped.
pub(crate) struct Mesh {
    process: DubboMesh,
    /// Before it was started.
    pub(crate) started: Instant,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Mesh {
    /// Starts it on the `n`-th pair of ports, and does not wait.
    pub(crate) fn start(registry: &str, n: u16) -> Self {
        let on = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port + 10 * n));
        let (listen, admin) = (on(18848), on(18849));
        let (listen_at, admin_at) = (listen.to_string(), admin.to_string());
        let arguments = [
            "serve",
            "--registry",
            registry,
            "--listen",
            &listen_at,
            "--admin",
            &admin_at,
        ];
        let started = Instant::now();
        Self {
            process: DubboMesh::launch(&arguments),
            started,
            listen,
            admin,
        }
    }

    pub(crate) fn pid(&mut self) -> u32 {
        self.process.process().id()
    }

    /// A client that has asked for everything.
    pub(crate) async fn client(&self) -> Client {
        let client = Client::connect(self.listen, PATIENCE).await;
        client.subscribe();
        client
    }

    /// How often it published another state.
    pub(crate) async fn published(&self) -> u64 {
        const NAME: &str = "dubbo_mesh_published_total ";
        let page = get(self.admin, "/metrics").await.expect("its metrics");
        let value = page.body.lines().find_map(|line| line.strip_prefix(NAME));
        let value = value.expect("the metric");
        value.parse().expect("a number")
    }

    /// Ends it as an operator would.
    pub(crate) async fn stop(self) {
        let status = self.process.stop().await;
        assert!(status.success(), "dubbo-mesh ended with {status}");
    }
}
