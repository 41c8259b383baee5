//! `dubbo-mesh convert`: what a registry would become, without touching anything.

mod manifest;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use dubbo_registry::event::{News, SourceState};
use dubbo_registry::removal::Time;
use dubbo_registry::resource::Kind;
use dubbo_registry::source::SourceConfig;
use dubbo_registry::{resolve, watch};
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::adapter::{Adapter, Outcome};
use crate::cli::{Convert, Output};
use crate::config::{Config, HostNames};
use crate::status::{Status, reason};
use manifest::{List, Manifest};

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was asked for is printed.
    Done,
    /// Something was refused, and `--strict` was given.
    Refused,
}

/// Host names that are asked for at once.
const LOOKUPS: usize = 32;

/// Reads, prints, reports. The error is why a registry could not be read, or the output not be
/// written.
pub async fn run(
    asked: &Convert,
    config: &Config,
    out: &mut impl Write,
    report: &mut impl Write,
) -> Result<Ended, String> {
    let (adapter, outcome) = read(config, asked.timeout, report).await?;
    let resources = outcome.changes.into_iter().filter_map(|c| c.resource);
    let manifests = manifest::sorted(resources)?;
    let written = |error: std::io::Error| format!("cannot write: {error}");
    for warning in manifests.iter().flat_map(Manifest::warnings) {
        writeln!(report, "warning: {warning}").map_err(written)?;
    }
    let refused = Status::of(&adapter).refused;
    for provider in &refused {
        let word = if provider.fault {
            "refused"
        } else {
            "left out"
        };
        writeln!(report, "{word}: {}: {}", provider.provider, provider.reason).map_err(written)?;
    }
    let count = counted(&manifests);
    print(manifests, asked.output, out)?;
    let faults = refused.iter().filter(|provider| provider.fault).count();
    let left_out = refused.len() - faults;
    writeln!(report, "{count}; {faults} refused, {left_out} left out").map_err(written)?;
    out.flush().map_err(written)?;
    Ok(if asked.strict && faults > 0 {
        Ended::Refused
    } else {
        Ended::Done
    })
}

/// Follows the registries until each was read completely, and resolves host names once. What a
/// registry waits for is told at once, since it may take as long as the patience.
pub(crate) async fn read(
    config: &Config,
    patience: Duration,
    report: &mut impl Write,
) -> Result<(Adapter, Outcome), String> {
    let deadline = Instant::now() + patience;
    let sources = config
        .registries
        .iter()
        .map(|r| watch(r.clone(), config.reading.clone()));
    let mut events = futures::stream::select_all(sources);
    let is_file = |registry: &&SourceConfig| matches!(registry, SourceConfig::File(_));
    let files = config.registries.iter().filter(is_file);
    let files: Vec<_> = files.map(SourceConfig::id).collect();
    let mut adapter = Adapter::new(config);
    while !adapter.services().complete() {
        match timeout_at(deadline, events.next()).await {
            Ok(Some(event)) => {
                if let News::State(state @ SourceState::Connecting(_)) = &event.news {
                    let waits_for = reason(state);
                    if files.contains(&event.source) {
                        // Nobody is likely to mend a file within the minute.
                        return Err(format!("{}: {waits_for}", event.source));
                    }
                    let shown = humantime::format_duration(patience);
                    // Who cannot be told now is told in the end.
                    let _ = writeln!(
                        report,
                        "waiting up to {shown} (--timeout): {}: {waits_for}",
                        event.source
                    );
                }
                adapter.event(event, Time::default());
            }
            Ok(None) => return Err("a registry went away".to_owned()),
            Err(_) => return Err(unread(&adapter, patience)),
        }
    }
    if let HostNames::Resolve(_) = config.host_names {
        let lookup = async |name: Arc<str>| {
            let late = || Err("no time was left to ask for it".into());
            let answer = timeout_at(deadline, resolve::once(&name)).await;
            (name, answer.unwrap_or_else(|_| late()))
        };
        let names = futures::stream::iter(adapter.services().names());
        let answers: Vec<_> = names.map(lookup).buffer_unordered(LOOKUPS).collect().await;
        for (name, answer) in answers {
            adapter.resolved(&name, answer);
        }
    }
    let outcome = adapter.outcome(Time::default());
    Ok((adapter, outcome))
}

fn unread(adapter: &Adapter, patience: Duration) -> String {
    let waiting: Vec<_> = adapter
        .services()
        .states()
        .filter(|(_, state)| !reason(state).is_empty())
        .map(|(id, state)| format!("{id}: {}", reason(state)))
        .collect();
    let patience = humantime::format_duration(patience);
    format!(
        "not read completely within {patience}: {}",
        waiting.join("; ")
    )
}

/// `3 ServiceEntries, 1 EnvoyFilter`: how many there are of each kind, ServiceEntries in any case.
fn counted(manifests: &[Manifest]) -> String {
    let count = |kind: Kind| {
        let count = manifests.iter().filter(|m| m.kind() == kind).count();
        match (kind, count) {
            (Kind::ServiceEntry, 1) => Some("1 ServiceEntry".to_owned()),
            (Kind::ServiceEntry, _) => Some(format!("{count} ServiceEntries")),
            (_, 0) => None,
            (_, 1) => Some(format!("1 {}", kind.name())),
            _ => Some(format!("{count} {}s", kind.name())),
        }
    };
    let counts: Vec<String> = Kind::ALL.into_iter().filter_map(count).collect();
    counts.join(", ")
}

fn print(manifests: Vec<Manifest>, output: Output, out: &mut impl Write) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot write: {error}");
    match output {
        Output::Json => {
            let list = List::from(manifests);
            serde_json::to_writer_pretty(&mut *out, &list).map_err(|e| failed(&e))?;
            writeln!(out).map_err(|e| failed(&e))
        }
        Output::Yaml => {
            for manifest in &manifests {
                let yaml = serde_saphyr::to_string(manifest).map_err(|e| failed(&e))?;
                let end = if yaml.ends_with('\n') { "" } else { "\n" };
                write!(out, "---\n{yaml}{end}").map_err(|e| failed(&e))?;
            }
            Ok(())
        }
    }
}
