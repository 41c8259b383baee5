//! A provider that registers and serves what the test says.

use std::fmt::Write as _;
use std::time::Duration;

use rustix::process::Signal;
use zookeeper_client::{Client, CreateMode};

use crate::dubbo::{DubboVersion, Program};
use crate::network::Namespace;
use crate::process::Process;
use crate::tree::create;

/// Dubbo 2.7 and later wait ten seconds for their consumers to be told.
const STOP: Duration = Duration::from_secs(40);

/// A service to export. Settings are the setters of Dubbo's `ServiceConfig`,
/// e.g. `version`, `group`, `weight`, `tag`, `token`, `path`, `dynamic`, and
/// `parameters.NAME` for free ones.
#[derive(Debug, Clone)]
pub struct Service(Vec<(String, String)>);

impl Service {
    /// A service of `interface`: `com.acme.Greeter`, `com.acme.Orders`, or any
    /// other name, which is then served generically.
    #[must_use]
    pub fn new(interface: &str) -> Self {
        Self(Vec::new()).set("interface", interface)
    }

    /// A setting.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }
}

/// What a provider registers.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    program: Program,
    name: String,
    protocols: usize,
    services: usize,
}

impl ProviderSettings {
    /// An application `acme` at `registry`, e.g. `zookeeper://127.0.0.1:2181`,
    /// with nothing to export yet.
    #[must_use]
    pub fn new(version: DubboVersion, registry: impl ToString) -> Self {
        let settings = Self {
            program: Program::new(version, "com.acme.Provider"),
            name: "provider".to_owned(),
            protocols: 0,
            services: 0,
        };
        settings
            .set("provider", "provider")
            .set("application.name", "acme")
            .set("registry.address", registry)
    }

    /// The name that it answers calls with, and that its log has.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self.set("provider", name)
    }

    /// Any setting: `application.*`, `registry.*` (`group`, `simplified`,
    /// `username`, …), `protocol.N.*` (`extProtocol`, `serialization`, …),
    /// `metadataReport.*`, as in the setters of Dubbo's configuration objects.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.program.set(name, value);
        self
    }

    /// A further protocol of all its services, e.g. `dubbo` 20880, `tri` 50051.
    #[must_use]
    pub fn protocol(mut self, name: &str, port: u16) -> Self {
        let number = self.protocols;
        self.protocols += 1;
        self.set(&format!("protocol.{number}.name"), name)
            .set(&format!("protocol.{number}.port"), port)
    }

    /// A further service.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        for (name, value) in service.0 {
            self.program
                .set(&format!("service.{}.{name}", self.services), value);
        }
        self.services += 1;
        self
    }

    /// Runs in another network namespace than the test's own, and registers its
    /// address.
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.program.inside(namespace);
        self
    }

    /// Starts it and waits until everything is exported.
    pub async fn start(self) -> Provider {
        Provider {
            process: self.program.start(&self.name).await,
        }
    }
}

/// A provider that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Provider {
    process: Process,
}

impl Provider {
    /// Its process: log, signals.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it as its users do: Dubbo unregisters, tells its consumers, and ends.
    pub async fn stop(mut self) {
        self.process.say("stop");
        self.process.wait(STOP).await;
    }

    /// SIGKILL: what it registered stays until its session expires.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Freezes it: its session expires, and its sockets stay open.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Takes all services of `interface` out of the registry.
    ///
    /// # Panics
    /// If it exports none.
    pub async fn unexport(&mut self, interface: &str) {
        let seen = self.process.printed();
        self.process.say(&format!("unexport {interface}"));
        let answer = self
            .process
            .wait_for_line(seen, STOP, |line| line.starts_with("unexported "))
            .await;
        assert_ne!(answer, "unexported 0", "it exports no {interface}");
    }

    /// Changes the weight of a service as Dubbo's console does: by an override in
    /// ZooKeeper that every provider of the service, from 2.7 on, obeys by
    /// registering itself anew; 2.6 leaves it to the consumers, and its node stays
    /// as it is. `service` is `[group/]interface[:version]`.
    pub async fn set_weight(&self, zookeeper: &Client, root: &str, service: &str, weight: u32) {
        let (group, rest) = service
            .split_once('/')
            .map_or(("", service), |(group, rest)| (group, rest));
        let (interface, version) = rest.split_once(':').unwrap_or((rest, ""));
        let mut url = format!(
            "override://0.0.0.0/{interface}?category=configurators&dynamic=false&enabled=true"
        );
        for (name, value) in [("group", group), ("version", version)] {
            if !value.is_empty() {
                let _ = write!(url, "&{name}={value}");
            }
        }
        let _ = write!(url, "&weight={weight}");
        let node = url
            .replace(':', "%3A")
            .replace('/', "%2F")
            .replace('?', "%3F")
            .replace('=', "%3D")
            .replace('&', "%26");
        create(
            zookeeper,
            &format!("{root}/{interface}/configurators/{node}"),
            "",
            CreateMode::Persistent,
        )
        .await;
    }
}
