//! Dubbo for Java: a provider that registers what the test says, and a consumer
//! that calls it. The programs are in `tests/java`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use zookeeper_client::{Client, CreateMode};

use crate::isolation::fresh_dir;
use crate::java::java;
use crate::network::Namespace;
use crate::process::Process;
use crate::tree::create;

/// Dubbo 3 takes four seconds on an idle machine.
const START: Duration = Duration::from_secs(90);
/// Dubbo 2.7 and later wait ten seconds for their consumers to be told.
const STOP: Duration = Duration::from_secs(40);
const CALL: Duration = Duration::from_secs(30);

/// The versions that `tests/setup` installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DubboVersion {
    /// 2.6.12
    V2_6,
    /// 2.7.23
    V2_7,
    /// 3.1.11
    V3_1,
    /// 3.2.16
    V3_2,
    /// 3.3.6
    V3_3,
}

impl DubboVersion {
    /// All, oldest first.
    pub const ALL: [Self; 5] = [Self::V2_6, Self::V2_7, Self::V3_1, Self::V3_2, Self::V3_3];

    /// As Dubbo writes it, e.g. `3.3.6`.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::V2_6 => "2.6.12",
            Self::V2_7 => "2.7.23",
            Self::V3_1 => "3.1.11",
            Self::V3_2 => "3.2.16",
            Self::V3_3 => "3.3.6",
        }
    }
}

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
    version: DubboVersion,
    name: String,
    properties: BTreeMap<String, String>,
    protocols: usize,
    services: usize,
    namespace: Option<Namespace>,
}

impl ProviderSettings {
    /// An application `acme` at `registry`, e.g. `zookeeper://127.0.0.1:2181`,
    /// with nothing to export yet.
    #[must_use]
    pub fn new(version: DubboVersion, registry: impl ToString) -> Self {
        let settings = Self {
            version,
            name: "provider".to_owned(),
            properties: BTreeMap::new(),
            protocols: 0,
            services: 0,
            namespace: None,
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
        self.properties.insert(name.to_owned(), value.to_string());
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
            self.properties
                .insert(format!("service.{}.{name}", self.services), value);
        }
        self.services += 1;
        self
    }

    /// Runs in another network namespace than the test's own, and registers its
    /// address.
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.namespace = Some(namespace.clone());
        self
    }

    /// Starts it and waits until everything is exported.
    pub async fn start(self) -> Provider {
        let mut process = launch(
            self.version,
            &self.name,
            "com.acme.Provider",
            &self.properties,
            self.namespace.as_ref(),
        );
        process
            .wait_for_line(0, START, |line| line == "READY")
            .await;
        Provider {
            process,
            version: self.version,
        }
    }
}

/// A provider that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Provider {
    version: DubboVersion,
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
        self.process.signal(rustix::process::Signal::STOP);
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process.signal(rustix::process::Signal::CONT);
    }

    /// Takes all services of `interface` out of the registry.
    ///
    /// # Panics
    /// If it exports none.
    pub async fn unexport(&mut self, interface: &str) {
        let seen = self.process.log().len();
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

    /// Its version.
    #[must_use]
    pub fn version(&self) -> DubboVersion {
        self.version
    }
}

/// What a consumer refers to.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    version: DubboVersion,
    properties: BTreeMap<String, String>,
    namespace: Option<Namespace>,
}

impl ConsumerSettings {
    /// A consumer of `interface`, an application `acme-web` at `registry`, or
    /// with `N/A` at none: then set `reference.url`.
    #[must_use]
    pub fn new(version: DubboVersion, registry: impl ToString, interface: &str) -> Self {
        Self {
            version,
            properties: BTreeMap::new(),
            namespace: None,
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
        self.properties.insert(name.to_owned(), value.to_string());
        self
    }

    /// Runs in another network namespace than the test's own.
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.namespace = Some(namespace.clone());
        self
    }

    /// Starts it and waits until it could call.
    pub async fn start(self) -> Consumer {
        let mut process = launch(
            self.version,
            "consumer",
            "com.acme.Consumer",
            &self.properties,
            self.namespace.as_ref(),
        );
        process
            .wait_for_line(0, START, |line| line == "READY")
            .await;
        Consumer { process }
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
    /// `THROWN class: message`.
    pub async fn call(&mut self, command: &str) -> String {
        let seen = self.process.log().len();
        self.process.say(command);
        let done = |line: &str| line.starts_with("RESULT ") || line.starts_with("THROWN ");
        self.process.wait_for_line(seen, CALL, done).await
    }
}

fn launch(
    version: DubboVersion,
    name: &str,
    class: &str,
    properties: &BTreeMap<String, String>,
    namespace: Option<&Namespace>,
) -> Process {
    let home = fresh_dir(name);
    let lines = properties
        .iter()
        .map(|(name, value)| format!("{name}={}\n", value.replace('\\', "\\\\")));
    let file = home.join("settings.properties");
    fs::write(&file, lines.collect::<String>()).expect("a properties file");
    let mut command = java(&format!("dubbo-{}", version.number()), &home);
    command
        .args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Ddubbo.application.logger=slf4j",
            class,
        ])
        .arg(file);
    if let Some(namespace) = namespace {
        command = namespace.enter(&command);
    }
    Process::spawn(&home, &mut command)
}
