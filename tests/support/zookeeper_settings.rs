//! How a ZooKeeper server is configured: versions, `zoo.cfg` and what belongs to it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::certificates::{Authority, Certificate};

/// The versions that `tests/setup` installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZooKeeperVersion {
    /// 3.4.14: no persistent watches.
    V3_4,
    /// 3.6.4: the first line with persistent watches.
    V3_6,
    /// 3.8.4
    V3_8,
    /// 3.9.3
    V3_9,
}

impl ZooKeeperVersion {
    /// All, oldest first.
    pub const ALL: [Self; 4] = [Self::V3_4, Self::V3_6, Self::V3_8, Self::V3_9];

    /// The three numbers.
    #[must_use]
    pub fn numbers(self) -> (u32, u32, u32) {
        match self {
            Self::V3_4 => (3, 4, 14),
            Self::V3_6 => (3, 6, 4),
            Self::V3_8 => (3, 8, 4),
            Self::V3_9 => (3, 9, 3),
        }
    }

    pub(crate) fn name(self) -> String {
        let (major, minor, patch) = self.numbers();
        format!("zookeeper-{major}.{minor}.{patch}")
    }
}

/// How a server runs.
#[derive(Debug, Clone)]
pub struct ZooKeeperSettings {
    pub(crate) version: ZooKeeperVersion,
    tick: Duration,
    config: Vec<String>,
    pub(crate) java: Vec<String>,
    tls: Option<(String, Certificate)>,
}

impl ZooKeeperSettings {
    /// `version` with sessions of 1 to 10 seconds.
    #[must_use]
    pub fn new(version: ZooKeeperVersion) -> Self {
        Self {
            version,
            tick: Duration::from_millis(500),
            config: Vec::new(),
            java: Vec::new(),
            tls: None,
        }
    }

    /// ZooKeeper's unit of time. It grants sessions of 2 to 20 ticks, whatever
    /// the client asks for.
    #[must_use]
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// A line of `zoo.cfg`.
    #[must_use]
    pub fn config(mut self, line: &str) -> Self {
        self.config.push(line.to_owned());
        self
    }

    /// An option of the JVM, after those that every server of the tests has.
    #[must_use]
    pub fn java_option(mut self, option: &str) -> Self {
        self.java.push(option.to_owned());
        self
    }

    /// A system property of the JVM, e.g. `zookeeper.skipACL=yes`.
    #[must_use]
    pub fn property(self, property: &str) -> Self {
        self.java_option(&format!("-D{property}"))
    }

    /// The largest packet that the server takes, in bytes.
    #[must_use]
    pub fn max_buffer(self, bytes: usize) -> Self {
        self.property(&format!("jute.maxbuffer={bytes}"))
    }

    /// Also listens for TLS, 100 above the plain port: 2281. Clients need a
    /// certificate of the same authority if `clientAuth` is `need` (`none`, `want`).
    #[must_use]
    pub fn tls(mut self, authority: &Authority, client_auth: &str) -> Self {
        self.tls = Some((
            authority.pem.clone(),
            authority.issue(&["localhost", "127.0.0.1"]),
        ));
        self.config(&format!("ssl.clientAuth={client_auth}"))
    }

    /// Writes what server `id` of `members` reads at its start into `dir`.
    pub(crate) fn write(&self, dir: &Path, id: u16, members: u16) {
        fs::create_dir(dir.join("data")).expect("a data directory");
        fs::write(dir.join("data/myid"), id.to_string()).expect("myid");
        fs::write(dir.join("log4j.properties"), LOG4J).expect("log4j.properties");
        let mut config = format!(
            "tickTime={}\ninitLimit=50\nsyncLimit=25\ndataDir={}\nclientPort={}\n\
             maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n",
            self.tick.as_millis(),
            dir.join("data").display(),
            client_port(id)
        );
        for member in (1..=members).filter(|_| members > 1) {
            let (quorum, election) = (2887 + member, 3887 + member);
            let _ = writeln!(config, "server.{member}=127.0.0.1:{quorum}:{election}");
        }
        if let Some((authority, certificate)) = &self.tls {
            fs::write(dir.join("trust.pem"), authority).expect("trust.pem");
            let identity = format!("{}{}", certificate.key, certificate.pem);
            fs::write(dir.join("key.pem"), identity).expect("key.pem");
            let (dir, port) = (dir.display(), tls_port(id));
            let _ = writeln!(
                config,
                "secureClientPort={port}\nserverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
                 ssl.keyStore.type=PEM\nssl.keyStore.location={dir}/key.pem\n\
                 ssl.trustStore.type=PEM\nssl.trustStore.location={dir}/trust.pem",
            );
        }
        config.push_str(&self.config.join("\n"));
        fs::write(dir.join("zoo.cfg"), config).expect("zoo.cfg");
    }
}

/// Where server `id` serves without TLS.
pub(crate) fn client_port(id: u16) -> u16 {
    2180 + id
}

/// Where server `id` serves with TLS.
pub(crate) fn tls_port(id: u16) -> u16 {
    2280 + id
}

/// For 3.4, which logs by log4j itself.
const LOG4J: &str = "log4j.rootLogger=INFO,stderr
log4j.appender.stderr=org.apache.log4j.ConsoleAppender
log4j.appender.stderr.Target=System.err
log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
log4j.appender.stderr.layout.ConversionPattern=%d %p %c{1} %m%n
";
