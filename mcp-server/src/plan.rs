//! `dubbo-mesh plan`: what would change if ports were switched to http2 mode. [IO]
//!
//! ```text
//! registries ─ convert's reading: providers ─┐
//!            └ census: consumers, rules ─────┼─→ Evidence ─judge→ Plan ─→ text | JSON | YAML
//! file of kubectl ─ neighbours ──────────────┘
//! ```
//! Reads, and writes nowhere but to its output.

mod callers;
mod cost;
mod estate;
pub mod finding;
pub mod judge;
mod mixed;
pub mod neighbours;
mod owners;
mod steps;
#[cfg(test)]
mod tests;
mod text;
mod words;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use dubbo_registry::census;
use dubbo_registry::census::Census;
use dubbo_registry::source::SourceConfig;
use tokio::time::{Instant, timeout_at};

use self::finding::{NotLookedAt, Plan, Unread, Verdict};
use self::judge::{Evidence, plan};
use self::neighbours::Neighbour;
use self::text::Text;
use crate::cli::{Plan as Asked, PlanOutput};
use crate::config::{Config, check_export_to};
use crate::convert;

/// How often a long reading says how far it is.
const TELL: Duration = Duration::from_secs(2);

/// Reads, prints, reports. The error is why nothing could be said at all.
pub async fn run(
    asked: &Asked,
    config: &Config,
    out: &mut impl Write,
    report: &mut impl Write,
) -> Result<Verdict, String> {
    check_export_to(&asked.namespace)?;
    let neighbours = match &asked.services {
        Some(path) => {
            let shown = path.display();
            let text = tokio::fs::read_to_string(path).await;
            let text = text.map_err(|error| format!("cannot read {shown}: {error}"))?;
            let read = neighbours::read(&text).map_err(|error| format!("{shown}: {error}"))?;
            Some(read)
        }
        None => None,
    };
    let began = Instant::now();
    let (adapter, _) = convert::read(config, asked.timeout, report).await?;
    let mut unread: BTreeSet<Unread> = BTreeSet::new();
    for (list, reason) in adapter.services().unreadable() {
        unread.insert(unread_of(list, reason));
    }
    let census = take_census(config, began + asked.timeout, &mut unread, report).await;
    let mut made = judged(
        asked,
        config,
        &adapter,
        &census,
        neighbours.as_deref(),
        unread,
    );
    if !asked.all {
        made.cut(asked.limit);
    }
    print(&made, asked.output, out).map_err(|error| format!("cannot write: {error}"))?;
    Ok(made.verdict)
}

fn judged(
    asked: &Asked,
    config: &Config,
    adapter: &crate::adapter::Adapter,
    census: &Census,
    neighbours: Option<&[Neighbour]>,
    unread: BTreeSet<Unread>,
) -> Plan {
    let mut not_looked_at = BTreeSet::new();
    if neighbours.is_none() {
        not_looked_at.insert(NotLookedAt::KubernetesServices);
    }
    let is_file = |registry: &SourceConfig| matches!(registry, SourceConfig::File(_));
    if config.registries.iter().any(is_file) {
        not_looked_at.insert(NotLookedAt::ConsumersOfFiles);
    }
    plan(&Evidence {
        services: adapter.services(),
        mesh: &config.mesh,
        census,
        neighbours,
        ports: &asked.port,
        namespaces: &asked.namespace,
        unread,
        not_looked_at,
        rejected: adapter.services().rejected().count(),
    })
}

/// One registry after the other; one that cannot be read takes none of the others with it.
async fn take_census(
    config: &Config,
    deadline: Instant,
    unread: &mut BTreeSet<Unread>,
    report: &mut impl Write,
) -> Census {
    let mut all = Census::default();
    for registry in &config.registries {
        let id = registry.id().to_string();
        let mut told = Instant::now();
        let mut progress = |done, of| {
            if told.elapsed() >= TELL {
                told = Instant::now();
                // Who cannot be told now is told in the end.
                let _ = writeln!(report, "reading: {id}: {done} of {of} interfaces");
            }
        };
        let reading = timeout_at(deadline, census(registry, &mut progress));
        match reading.await {
            Ok(Ok(census)) => all.extend(census),
            Ok(Err(reason)) => drop(unread.insert(unread_of(&id, &reason))),
            Err(_) => drop(unread.insert(unread_of(&id, "no time was left to read its consumers"))),
        }
    }
    unread.extend(all.unread.iter().map(|u| unread_of(&u.what, &u.reason)));
    all.sorted()
}

fn unread_of(what: &str, reason: &str) -> Unread {
    Unread {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}

fn print(plan: &Plan, output: PlanOutput, out: &mut impl Write) -> std::io::Result<()> {
    match output {
        PlanOutput::Text => write!(out, "{}", Text(plan))?,
        PlanOutput::Json => {
            serde_json::to_writer_pretty(&mut *out, plan)?;
            writeln!(out)?;
        }
        PlanOutput::Yaml => {
            let yaml = serde_saphyr::to_string(plan).map_err(std::io::Error::other)?;
            writeln!(out, "{}", yaml.trim_end())?;
        }
    }
    out.flush()
}
