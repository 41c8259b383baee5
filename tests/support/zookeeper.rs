//! Real ZooKeeper servers: one alone, or three that elect a leader.
//!
//! ```text
//! ZooKeeperSettings ─start─→ ZooKeeper (2181)          stop, kill, pause, restart
//!                   └─ensemble─→ Ensemble (2181..2183)  each member the same way
//! ```

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use zookeeper_client::Client;

use crate::isolation::fresh_dir;
use crate::java::java;
use crate::process::Process;
use crate::wait::wait_until;
use crate::zookeeper_settings::{ZooKeeperSettings, ZooKeeperVersion, client_port, tls_port};

/// A server, or an ensemble, is up after a few seconds on two busy cores.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);
/// A request to a server that is up.
const ANSWER: Duration = Duration::from_secs(10);

impl ZooKeeperSettings {
    /// Starts one server on port 2181 and waits until it serves.
    pub async fn start(self) -> ZooKeeper {
        let mut server = ZooKeeper::configured(self, 1, 1);
        server.start_again().await;
        server
    }

    /// Starts three servers on ports 2181 to 2183 and waits until all serve.
    pub async fn ensemble(self) -> Ensemble {
        let mut members = [1, 2, 3].map(|id| ZooKeeper::configured(self.clone(), id, 3));
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
        SocketAddr::from((Ipv4Addr::LOCALHOST, client_port(self.id)))
    }

    /// Where it serves with TLS.
    #[must_use]
    pub fn tls_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, tls_port(self.id)))
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

    fn configured(settings: ZooKeeperSettings, id: u16, members: u16) -> Self {
        let dir = fresh_dir(&format!("zookeeper-{id}"));
        settings.write(&dir, id, members);
        Self {
            settings,
            id,
            dir,
            process: None,
        }
    }
}

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
