//! `dubbo-mesh serve`: puts the parts together and waits for a signal.
//!
//! ```text
//! sources ─┐                          ┌─ server ─→ control planes
//! resolver ┴→ pipeline ─→ published ──┴─ admin
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dubbo_registry::{resolve, watch as watch_registry};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::adapter::Adapter;
use crate::admin::Admin;
use crate::config::{Config, HostNames, Listen};
use crate::pipeline::{self, Input, Outputs};
use crate::server::{Server, Settings, TlsFiles};
use crate::snapshot::Snapshot;
use crate::status::Status;
use crate::telemetry::Telemetry;

/// Between two lines that say what istiod waits for.
const REMINDER: Duration = Duration::from_secs(60);

/// Serves until SIGTERM, SIGINT or SIGHUP: who starts it anew after any of them has it read its
/// configuration again. The error is why it cannot, or why it had to end.
pub async fn run(config: Config) -> Result<(), String> {
    let signals = [
        listen_for(SignalKind::terminate())?,
        listen_for(SignalKind::interrupt())?,
        listen_for(SignalKind::hangup())?,
    ];
    let mut metrics = Registry::default();
    let telemetry = Telemetry::new(&mut metrics);
    telemetry.configured(&config.notices());
    let (published, snapshots) = watch::channel(None);
    let (status, statuses) = watch::channel(Arc::new(Status::default()));
    let (names, wanted) = watch::channel(BTreeSet::new());
    let (stop, stopping) = watch::channel(false);

    let address = config.listen.address;
    let server = Server::bind(address, settings(&config.listen), telemetry.clone())
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let admin_listener = Admin::bind(config.admin)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", config.admin))?;
    let admin = Admin {
        metrics: Arc::new(metrics),
        telemetry: telemetry.clone(),
        published: snapshots.clone(),
        status: statuses.clone(),
        stop: stopping.clone(),
    };
    let admin = tokio::spawn(admin.run(admin_listener));
    let reminder = tokio::spawn(remind(snapshots.clone(), statuses, telemetry.clone()));
    let outputs = Outputs {
        published,
        names,
        status,
        telemetry,
    };
    let pipeline = pipeline::run(Adapter::new(&config), inputs(&config, wanted), outputs);
    let pipeline = tokio::spawn(pipeline);
    let server = tokio::spawn(server.run(snapshots, stopping));

    let ended = wait(signals, pipeline).await;
    stop.send_replace(true);
    let drained = server.await;
    admin.abort();
    reminder.abort();
    drained.map_err(|error| format!("the server failed: {error}"))?;
    ended
}

/// Everything that the pipeline is told.
fn inputs(
    config: &Config,
    wanted: resolve::Wanted,
) -> stream::SelectAll<BoxStream<'static, Input>> {
    let registries = config.registries.iter().map(|registry| {
        watch_registry(registry.clone(), config.reading.clone())
            .map(Input::Event)
            .boxed()
    });
    let answers = match config.host_names {
        HostNames::Resolve(interval) => resolve::watch(wanted, interval)
            .map(|(name, answer)| Input::Resolved(name, answer))
            .boxed(),
        HostNames::Refuse => stream::pending().boxed(),
    };
    stream::select_all(registries.chain([answers]))
}

fn settings(listen: &Listen) -> Settings {
    Settings {
        tls: listen
            .tls
            .as_ref()
            .map(|tls| TlsFiles::new(&tls.certificate, &tls.key)),
        allow: listen.clients.clone(),
        ..Settings::default()
    }
}

fn listen_for(kind: SignalKind) -> Result<Signal, String> {
    signal(kind).map_err(|error| format!("cannot listen for signals: {error}"))
}

/// Says again and again what nothing can be published without, until something was.
async fn remind(
    published: watch::Receiver<Option<Arc<Snapshot>>>,
    status: watch::Receiver<Arc<Status>>,
    telemetry: Telemetry,
) {
    let began = Instant::now();
    loop {
        sleep(REMINDER).await;
        if published.borrow().is_some() {
            return;
        }
        telemetry.nothing_published(&status.borrow(), began.elapsed());
    }
}

/// Waits for a signal, or for the pipeline, which never ends by itself.
async fn wait(signals: [Signal; 3], pipeline: JoinHandle<()>) -> Result<(), String> {
    let signals = signals.map(|mut signal| Box::pin(async move { signal.recv().await }));
    let signal = futures::future::select_all(signals);
    match futures::future::select(signal, pipeline).await {
        futures::future::Either::Left(_) => Ok(()),
        futures::future::Either::Right((Err(error), _)) => {
            Err(format!("the pipeline failed: {error}"))
        }
        futures::future::Either::Right((Ok(()), _)) => Err("the pipeline ended".to_owned()),
    }
}
