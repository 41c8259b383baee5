//! A consumer that makes the calls of the test.

use std::time::Duration;

use crate::dubbo::{DubboVersion, Program};
use crate::network::Namespace;
use crate::process::Process;

const CALL: Duration = Duration::from_secs(60);

/// What a consumer refers to.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    program: Program,
}

impl ConsumerSettings {
    /// A consumer of `interface`, an application `acme-web` at `registry`, or
    /// with `N/A` at none: then set `reference.url`.
    #[must_use]
    pub fn new(version: DubboVersion, registry: impl ToString, interface: &str) -> Self {
        Self {
            program: Program::new(version, "com.acme.Consumer"),
        }
        .set("application.name", "acme-web")
        .set("registry.address", registry)
        .set("reference.interface", interface)
        .set("reference.retries", 0)
        .set("reference.timeout", 5000)
    }

    /// Any setting: `application.*`, `registry.*`, `reference.*` (`group`,
    /// `version`, `url`, `check`, …).
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.program.set(name, value);
        self
    }

    /// Runs in another network namespace than the test's own.
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.program.inside(namespace);
        self
    }

    /// Starts it and waits until it could call.
    pub async fn start(self) -> Consumer {
        Consumer {
            process: self.program.start("consumer").await,
        }
    }
}

/// A consumer that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Consumer {
    process: Process,
}

impl Consumer {
    /// Its process: log, signals.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// One call, `METHOD ARGUMENT [KEY=VALUE of an attachment…]`, e.g.
    /// `greet World dubbo.tag=gray`. Returns `RESULT value` or
    /// `THROWN class: message`; behind the class stand the codes of those of
    /// it and its causes that are Dubbo's own `RpcException`.
    pub async fn call(&mut self, command: &str) -> String {
        let seen = self.process.printed();
        self.process.say(command);
        let done = |line: &str| line.starts_with("RESULT ") || line.starts_with("THROWN ");
        self.process.wait_for_line(seen, CALL, done).await
    }
}
