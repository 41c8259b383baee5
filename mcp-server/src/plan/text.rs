//! A plan as people read it. Pure.

use std::fmt::{self, Display, Formatter};

use super::finding::{
    Finding, NotLookedAt, Party, Plan, Port, Section, Side, Sidecar, Today, Verdict,
};
use crate::line::one_line;

/// Columns of a line.
const WIDTH: usize = 100;

/// A plan, to be displayed.
pub(super) struct Text<'a>(pub(super) &'a Plan);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Plan {
            ports,
            unread,
            not_looked_at,
            rejected,
            verdict,
        } = self.0;
        if ports.is_empty() {
            writeln!(
                f,
                "No Dubbo provider is on a port that may become a listener."
            )?;
        }
        for port in ports {
            write_port(port, f)?;
            writeln!(f)?;
        }
        if !unread.is_empty() {
            writeln!(
                f,
                "Could not be read ({}), so this is not the whole truth:",
                unread.len()
            )?;
            for each in unread {
                writeln!(
                    f,
                    "  - {}: {}",
                    one_line(&each.what),
                    one_line(&each.reason)
                )?;
            }
            writeln!(f)?;
        }
        if *rejected > 0 {
            let entries = match rejected {
                1 => "1 entry of the registries is no provider and was".to_owned(),
                n => format!("{n} entries of the registries are no providers and were"),
            };
            writeln!(f, "{entries} left out; `dubbo-mesh convert` says why.")?;
        }
        for what in not_looked_at {
            paragraph(f, "", "", words(*what))?;
        }
        if let [_, _, ..] = ports.as_slice() {
            writeln!(f, "All ports: {}", headline(*verdict))?;
        }
        Ok(())
    }
}

fn words(what: NotLookedAt) -> &'static str {
    match what {
        NotLookedAt::KubernetesServices => {
            "Not looked at: other Kubernetes services of these port numbers. Give them: `kubectl get \
             services -A -o json > services.json` and `--services services.json`."
        }
        NotLookedAt::ConsumersOfFiles => {
            "Not looked at: the consumers of providers that stand in a file; a file has none."
        }
    }
}

fn write_port(port: &Port, f: &mut Formatter<'_>) -> fmt::Result {
    let today = match port.today {
        Today::Tcp => "tcp today",
        Today::Http2 => "in http2 mode already",
        Today::NotListed => "refused today",
    };
    let namespaces = match port.namespaces.as_slice() {
        [all] if **all == *"*" => "all namespaces".to_owned(),
        names => names.join(", "),
    };
    writeln!(
        f,
        "Port {} in http2 mode for callers in {namespaces} ({today})",
        port.port
    )?;
    let counts = port.counts;
    writeln!(
        f,
        "  {}, {}, {}",
        many(counts.services, "service"),
        many(counts.providers, "provider"),
        many(counts.consumers, "consumer")
    )?;
    if counts.providers == 0 {
        paragraph(
            f,
            "  ",
            "  ",
            "No provider that could be read is on this port, so nothing would be routed and there are \
             no steps. Without --port, the ports that providers have are planned.",
        )?;
    } else {
        write_sidecar(&port.sidecar, f)?;
    }
    for section in &port.sections {
        writeln!(f)?;
        write_section(section, f)?;
    }
    writeln!(f, "\n  Verdict: {}", headline(port.verdict))?;
    if counts.providers == 0 {
        return Ok(());
    }
    for (title, steps) in [("Steps", &port.steps), ("Undo", &port.undo)] {
        writeln!(f, "\n  {title}")?;
        for (number, step) in (1..).zip(steps) {
            paragraph(f, &format!("    {number}. "), "       ", step)?;
        }
    }
    Ok(())
}

fn write_sidecar(sidecar: &Sidecar, f: &mut Formatter<'_>) -> fmt::Result {
    let come = match sidecar.listeners_to_come.as_slice() {
        [] => "no new listener".to_owned(),
        names => format!("+ listener {}", names.join(", ")),
    };
    let go = match sidecar.listeners_to_go {
        0 => String::new(),
        n => format!(", - {} at virtual addresses", many(n, "listener")),
    };
    writeln!(f, "  Each sidecar there: {come}{go}")?;
    writeln!(
        f,
        "  Each sidecar there: {} with {}, about {} of memory",
        many(sidecar.clusters, "cluster"),
        many(sidecar.endpoints, "endpoint"),
        size(sidecar.bytes)
    )
}

fn write_section(section: &Section, f: &mut Formatter<'_>) -> fmt::Result {
    let mark = match section.changes_calls {
        true => "CHANGES CALLS",
        false => "note",
    };
    writeln!(
        f,
        "  [{mark}] {} ({})",
        section.topic.title(),
        section.count
    )?;
    paragraph(f, "    What: ", "      ", &section.effect)?;
    paragraph(f, "    Do:   ", "      ", &section.advice)?;
    for finding in &section.findings {
        writeln!(f, "    - {}", one_line(finding))?;
    }
    match section.count - section.findings.len() {
        0 => Ok(()),
        more => writeln!(f, "    … and {more} more (--all)"),
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { by, setting } => write!(f, "{by}: {setting}"),
            Self::Rule { key, rule } => write!(f, "{rule} for {key}"),
            Self::SharedHost {
                service,
                host,
                owner,
            } => write!(f, "{service}: {host} belongs to {owner}"),
            Self::Provider { by, reason } => write!(f, "{by}: {reason}"),
            Self::Service {
                namespace,
                name,
                headless,
                protocol,
            } => {
                let headless = if *headless { "headless, " } else { "" };
                write!(f, "{namespace}/{name}: {headless}protocol {protocol}")
            }
            Self::Host { service, host } => write!(f, "{service}: {host}"),
            Self::Address {
                address,
                applications,
            } => {
                let names = applications.iter().filter(|name| !name.is_empty());
                let names: Vec<_> = names.map(String::as_str).collect();
                match names.is_empty() {
                    true => f.write_str(address),
                    false => write!(f, "{address}: {}", names.join(", ")),
                }
            }
        }
    }
}

impl Display for Party {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Provider => "provider",
            Side::Consumer => "consumer",
        };
        let Self {
            service, address, ..
        } = self;
        write!(f, "{service} {side} {address}")?;
        match self.application.as_str() {
            "" => Ok(()),
            name => write!(f, " ({name})"),
        }
    }
}

fn headline(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unchanged => "calls of today would be answered as before",
        Verdict::Changed => "CALLS OF TODAY WOULD CHANGE, see above",
        Verdict::Unknown => "unknown, since something could not be read, see below",
    }
}

fn many(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes.div_ceil(1024 * 1024)),
    }
}

/// Words on lines of [`WIDTH`], the first behind `first`, the others behind `rest`.
fn paragraph(f: &mut Formatter<'_>, first: &str, rest: &str, text: &str) -> fmt::Result {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        let words = line.chars().count() + 1 + word.chars().count();
        if !empty && words > WIDTH {
            writeln!(f, "{line}")?;
            rest.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(f, "{line}")
}
