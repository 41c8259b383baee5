//! `dubbo-mesh serve`: puts the parts together and waits for a signal.
//!
//! ```text
//! sources ─┐                          ┌─ server ─→ control planes
//! resolver ┴→ pipeline ─→ published ──┴─ admin
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use dubbo_registry::{resolve, watch as watch_registry};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use prometheus_client::registry::Registry;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::adapter::Adapter;
use crate::admin::Admin;
use crate::config::{Config, HostNames, Listen};
use crate::pipeline::{self, Input, Outputs};
use crate::server::{Server, Settings, TlsFiles};
use crate::status::Status;
use crate::telemetry::Telemetry;

/// Serves until SIGTERM or SIGINT. The error is why it cannot, or why it had to end.
pub async fn run(config: Config) -> Result<(), String> {
    let signals = (
        listen_for(SignalKind::terminate())?,
        listen_for(SignalKind::interrupt())?,
    );
    let mut metrics = Registry::default();
    let telemetry = Telemetry::new(&mut metrics);
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
        status: statuses,
        stop: stopping.clone(),
    };
    let admin = tokio::spawn(admin.run(admin_listener));
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

/// Waits for a signal, or for the pipeline, which never ends by itself.
async fn wait(
    (mut terminate, mut interrupt): (Signal, Signal),
    pipeline: JoinHandle<()>,
) -> Result<(), String> {
    let terminated = Box::pin(async move { terminate.recv().await });
    let interrupted = Box::pin(async move { interrupt.recv().await });
    let signal = futures::future::select(terminated, interrupted);
    match futures::future::select(signal, pipeline).await {
        futures::future::Either::Left(_) => Ok(()),
        futures::future::Either::Right((Err(error), _)) => {
            Err(format!("the pipeline failed: {error}"))
        }
        futures::future::Either::Right((Ok(()), _)) => Err("the pipeline ended".to_owned()),
    }
}
