//! Dubbo for Java: the versions, and how one of our programs in `tests/java` is
//! started. What they do is in `provider.rs` and `consumer.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::isolation::fresh_dir;
use crate::java::java;
use crate::network::Namespace;
use crate::process::Process;

/// Dubbo 3 takes two seconds on an idle machine.
const START: Duration = Duration::from_secs(90);

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

/// A program that is to run: its settings are the properties that
/// `tests/java/.../Settings.java` reads.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    version: DubboVersion,
    class: &'static str,
    properties: BTreeMap<String, String>,
    namespace: Option<Namespace>,
}

impl Program {
    pub(crate) fn new(version: DubboVersion, class: &'static str) -> Self {
        Self {
            version,
            class,
            properties: BTreeMap::new(),
            namespace: None,
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.properties.insert(name.to_owned(), value.to_string());
    }

    pub(crate) fn inside(&mut self, namespace: &Namespace) {
        self.namespace = Some(namespace.clone());
    }

    /// Starts it and waits until it says READY.
    pub(crate) async fn start(self, name: &str) -> Process {
        let home = fresh_dir(name);
        let lines = self.properties.iter();
        let lines = lines.map(|(name, value)| format!("{name}={}\n", value.replace('\\', "\\\\")));
        let file = home.join("settings.properties");
        fs::write(&file, lines.collect::<String>()).expect("a properties file");
        let mut command = java(&format!("dubbo-{}", self.version.number()), &home);
        command
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .args(["-Ddubbo.application.logger=slf4j", self.class])
            .arg(file);
        if let Some(namespace) = &self.namespace {
            command = namespace.enter(&command);
        }
        let mut process = Process::spawn(&home, &mut command);
        process
            .wait_for_line(0, START, |line| line == "READY")
            .await;
        process
    }
}
