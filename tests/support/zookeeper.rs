//! Real ZooKeeper servers: one alone, or three that elect a leader.
//!
//! ```text
//! ZooKeeperSettings ─start─→ ZooKeeper (2181)          stop, kill, pause, restart
//!                   └─ensemble─→ Ensemble (2181..2183)  each member the same way
//! ```

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use zookeeper_client::Client;

use crate::certificates::{Authority, Certificate};
use crate::isolation::fresh_dir;
use crate::java::java;
use crate::process::Process;
use crate::wait::wait_until;

/// A server, or an ensemble, is up after a few seconds on two busy cores.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);
/// A request to a server that is up.
const ANSWER: Duration = Duration::from_secs(2);

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

    fn name(self) -> String {
        let (major, minor, patch) = self.numbers();
        format!("zookeeper-{major}.{minor}.{patch}")
    }
}

/// How a server runs.
#[derive(Debug, Clone)]
pub struct ZooKeeperSettings {
    version: ZooKeeperVersion,
    tick: Duration,
    config: Vec<String>,
    java: Vec<String>,
    tls: Option<(String, Certificate)>,
}

impl ZooKeeperSettings {
    /// `version` with sessions of 0.4 to 4 seconds.
    #[must_use]
    pub fn new(version: ZooKeeperVersion) -> Self {
        Self {
            version,
            tick: Duration::from_millis(200),
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

    /// A system property of the JVM, e.g. `zookeeper.skipACL=yes`.
    #[must_use]
    pub fn property(mut self, property: &str) -> Self {
        self.java.push(format!("-D{property}"));
        self
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

    /// Starts one server on port 2181 and waits until it serves.
    pub async fn start(self) -> ZooKeeper {
        let mut server = ZooKeeper::configure(self, 1, 1);
        server.start_again().await;
        server
    }

    /// Starts three servers on ports 2181 to 2183 and waits until all serve.
    pub async fn ensemble(self) -> Ensemble {
        let mut members = [1, 2, 3].map(|id| ZooKeeper::configure(self.clone(), id, 3));
        for member in &mut members {
            member.launch();
        }
        for member in &mut members {
            member.serving().await;
        }
        Ensemble { members }
    }
}

/// A server. It is killed when dropped.
#[derive(Debug)]
pub struct ZooKeeper {
    settings: ZooKeeperSettings,
    id: u16,
    dir: PathBuf,
    process: Option<Process>,
}

impl ZooKeeper {
    /// A server of `version` with the defaults of [`ZooKeeperSettings::new`].
    pub async fn start(version: ZooKeeperVersion) -> Self {
        ZooKeeperSettings::new(version).start().await
    }

    /// Where it serves without TLS.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 2180 + self.id))
    }

    /// Where it serves with TLS.
    #[must_use]
    pub fn tls_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 2280 + self.id))
    }

    /// The address as Dubbo writes it: `zookeeper://127.0.0.1:2181`.
    #[must_use]
    pub fn registry(&self) -> String {
        format!("zookeeper://{}", self.address())
    }

    /// A client with a session of its own.
    pub async fn client(&self) -> Client {
        connect(&self.address().to_string(), self.settings.version).await
    }

    /// Its process: log, signals.
    ///
    /// # Panics
    /// If it is stopped.
    #[must_use]
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("a server that runs")
    }

    /// Sends a four-letter command, e.g. `srvr`, `cons`, `wchs`.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn command(&self, word: &str) -> Result<String, String> {
        let ask = || {
            let mut stream = TcpStream::connect_timeout(&self.address(), ANSWER)?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.write_all(word.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        ask().map_err(|error| format!("{word}: {error}"))
    }

    /// `standalone`, `leader` or `follower`, from `srvr`.
    ///
    /// # Errors
    /// If it does not serve.
    pub fn mode(&self) -> Result<String, String> {
        let answer = self.command("srvr")?;
        let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
        mode.map(str::to_owned).ok_or(answer)
    }

    /// Ends it as an operator would; its data stays.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate(STOP).await;
        }
    }

    /// Ends it as a power cut would; its data stays.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.process().signal(Signal::STOP);
    }

    /// Undoes [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process().signal(Signal::CONT);
    }

    /// Starts it again with its data, and waits until it serves. In an ensemble
    /// that needs a majority.
    pub async fn start_again(&mut self) {
        self.launch();
        self.serving().await;
    }

    /// Starts it again without waiting.
    pub fn launch(&mut self) {
        let mut command = java(&self.settings.version.name(), &self.dir);
        command
            .args(&self.settings.java)
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(self.dir.join("zoo.cfg"));
        self.process = Some(Process::spawn(&self.dir, &mut command));
    }

    /// Waits until it serves.
    pub async fn serving(&mut self) {
        let mut process = self.process.take().expect("a server that runs");
        process
            .wait_until("it serves", START, async |_| self.mode())
            .await;
        self.process = Some(process);
    }

    fn configure(mut settings: ZooKeeperSettings, id: u16, members: u16) -> Self {
        let dir = fresh_dir(&format!("zookeeper-{id}"));
        fs::create_dir(dir.join("data")).expect("a data directory");
        fs::write(dir.join("data/myid"), id.to_string()).expect("myid");
        fs::write(dir.join("log4j.properties"), LOG4J).expect("log4j.properties");
        let mut config = format!(
            "tickTime={}\ninitLimit=50\nsyncLimit=25\ndataDir={}\nclientPort={}\n\
             maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n",
            settings.tick.as_millis(),
            dir.join("data").display(),
            2180 + id
        );
        if members > 1 {
            for member in 1..=members {
                let _ = writeln!(
                    config,
                    "server.{member}=127.0.0.1:{}:{}",
                    2887 + member,
                    3887 + member
                );
            }
        }
        if let Some((authority, certificate)) = settings.tls.take() {
            fs::write(dir.join("trust.pem"), authority).expect("trust.pem");
            fs::write(dir.join("key.pem"), certificate.key + &certificate.pem).expect("key.pem");
            let dir = dir.display();
            let _ = writeln!(
                config,
                "secureClientPort={}\nserverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
                 ssl.keyStore.type=PEM\nssl.keyStore.location={dir}/key.pem\n\
                 ssl.trustStore.type=PEM\nssl.trustStore.location={dir}/trust.pem",
                2280 + id
            );
        }
        config.push_str(&settings.config.join("\n"));
        fs::write(dir.join("zoo.cfg"), config).expect("zoo.cfg");
        Self {
            settings,
            id,
            dir,
            process: None,
        }
    }
}

/// For 3.4, which logs by log4j itself.
const LOG4J: &str = "log4j.rootLogger=INFO,stderr
log4j.appender.stderr=org.apache.log4j.ConsoleAppender
log4j.appender.stderr.Target=System.err
log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
log4j.appender.stderr.layout.ConversionPattern=%d %p %c{1} %m%n
";

/// Three servers.
#[derive(Debug)]
pub struct Ensemble {
    /// The servers, by ascending id and port.
    pub members: [ZooKeeper; 3],
}

impl Ensemble {
    /// All three addresses, comma-separated.
    #[must_use]
    pub fn connect_string(&self) -> String {
        self.members
            .each_ref()
            .map(|member| member.address().to_string())
            .join(",")
    }

    /// A client of the ensemble, with a session of its own.
    pub async fn client(&self) -> Client {
        connect(&self.connect_string(), self.members[0].settings.version).await
    }

    /// The index of the leader.
    ///
    /// # Panics
    /// If there is none within a minute.
    pub async fn leader(&self) -> usize {
        wait_until("a leader", START, async || {
            let modes = self.members.each_ref().map(ZooKeeper::mode);
            modes
                .iter()
                .position(|mode| mode.as_deref() == Ok("leader"))
                .ok_or_else(|| format!("{modes:?}"))
        })
        .await
    }
}

async fn connect(addresses: &str, version: ZooKeeperVersion) -> Client {
    let (major, minor, patch) = version.numbers();
    let connector = Client::connector().with_server_version(major, minor, patch);
    connector.connect(addresses).await.expect("a session")
}
