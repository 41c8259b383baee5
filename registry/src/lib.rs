//! Dubbo registries to Istio resources.
//!
//! ```text
//! SourceConfig ─watch→ Event ─→ Services ─→ catalog ─→ resource
//!               names of hosts ─resolve→ addresses ─↗
//! ```
//!
//! [IO] is what [`watch`], [`census`](fn@census) and [`resolve`] start; all else is pure.

pub mod catalog;
pub mod census;
pub mod choice;
pub mod consumer;
pub mod event;
pub mod file;
pub mod installation;
#[cfg(test)]
mod making;
pub mod mesh;
mod names;
mod parallel;
pub mod pattern;
pub mod ports;
pub mod proto;
pub mod provider;
pub mod removal;
pub mod resolve;
pub mod resource;
pub mod rule;
pub mod services;
pub mod source;
pub mod terms;
pub mod vip;
pub mod workload;
pub mod zookeeper;

use futures::{Stream, future};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::census::Census;
use crate::event::Event;
use crate::provider::Reading;
use crate::source::SourceConfig;

/// Events that a source may be ahead of its reader. What is more waits inside the source, folded.
const AHEAD: usize = 256;

/// Reads a registry and follows it. The stream never ends and never carries an error: trouble is
/// retried inside and told as [`event::SourceState`]. Dropping it ends the session.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn watch(
    config: SourceConfig,
    reading: Reading,
) -> impl Stream<Item = Event> + Send + Unpin + use<> {
    let (tx, rx) = mpsc::channel(AHEAD);
    let listener = tx.clone();
    tokio::spawn(async move {
        let unheard = Box::pin(listener.closed());
        match config {
            SourceConfig::Zookeeper(config) => {
                let run = Box::pin(zookeeper::run(config, reading, tx));
                drop(future::select(run, unheard).await);
            }
            SourceConfig::File(config) => {
                let run = Box::pin(file::run(config, reading, tx));
                drop(future::select(run, unheard).await);
            }
        }
    });
    ReceiverStream::new(rx)
}

/// Reads once what a registry knows about who calls, and on what terms: what [`watch`] leaves out.
/// `progress` is told how many interfaces of how many were read.
///
/// # Errors
/// Why it could not be read, for people. What of it alone could not be read is in the census.
pub async fn census(
    config: &SourceConfig,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Census, String> {
    match config {
        SourceConfig::Zookeeper(config) => zookeeper::census(config, progress).await,
        SourceConfig::File(config) => file::census(config).await,
    }
}
