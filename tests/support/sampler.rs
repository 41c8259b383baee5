//! A consumer that makes every kind of call, of one provider after the other, and tells their outcomes.

use std::time::Duration;

use crate::dubbo::{DubboVersion, Program};
use crate::network::Namespace;
use crate::process::Process;

/// Some twenty calls and a reference; a second on an idle machine.
const ALL: Duration = Duration::from_secs(60);

/// A consumer of `com.acme.Sampler` that runs. It is killed when dropped.
#[derive(Debug)]
pub struct SamplerConsumer {
    process: Process,
}

impl SamplerConsumer {
    /// Starts it: an application `acme-web` at `registry`.
    pub async fn start(
        version: DubboVersion,
        registry: impl ToString,
        inside: &Namespace,
        name: &str,
    ) -> Self {
        let mut program = Program::new(version, "com.acme.SamplerConsumer");
        program.set("application.name", "acme-web");
        program.set("registry.address", registry);
        program.inside(inside);
        Self {
            process: program.start(name).await,
        }
    }

    /// Makes all calls by a reference with these settings, and returns their outcomes, a line each:
    /// `NAME RESULT value` or `NAME THROWN class: message`.
    pub async fn all(&mut self, settings: &[(&str, String)]) -> Vec<String> {
        let seen = self.process.printed();
        self.process.say(&words(settings));
        self.process
            .wait_for_line(seen, ALL, |line| line == "DONE")
            .await;
        let log = self.process.log_after(seen);
        let outcome = |line: &&str| line.contains(" RESULT ") || line.contains(" THROWN ");
        log.lines().filter(outcome).map(str::to_owned).collect()
    }

    /// Makes one call again and again until [`enough`](Self::enough), from before there is a provider.
    pub fn rush(&mut self, settings: &[(&str, String)]) {
        self.process.say(&format!("rush=yes {}", words(settings)));
    }

    /// Ends it, and returns `answered=N before=[outcomes before the first answer] after={outcome after
    /// it=count}`.
    pub async fn enough(&mut self) -> String {
        let seen = self.process.printed();
        self.process.say("enough");
        let told = |line: &str| line.starts_with("answered=");
        self.process.wait_for_line(seen, ALL, told).await
    }
}

fn words(settings: &[(&str, String)]) -> String {
    let words: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    words.join(" ")
}
