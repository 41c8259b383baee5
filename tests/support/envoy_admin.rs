//! An Envoy that runs, as its admin pages show it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::http::get;
use crate::network::Namespace;
use crate::process::Process;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);

/// An Envoy that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: u16,
    namespace: Option<Namespace>,
}

impl Envoy {
    /// Waits until a process that was just started answers.
    pub(crate) async fn answering(
        mut process: Process,
        admin: u16,
        namespace: Option<Namespace>,
    ) -> Self {
        let inside = namespace.as_ref();
        let probe = async |_: &mut Process| admin_page(admin, inside, "/server_info").await;
        process
            .wait_until("its admin pages answer", START, probe)
            .await;
        Self {
            process,
            admin,
            namespace,
        }
    }

    /// Its process: log, signals.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it as an operator would.
    pub async fn stop(mut self) {
        self.process.terminate(STOP).await;
    }

    /// An admin page, e.g. `/listeners`, `/stats?filter=dubbo`.
    ///
    /// # Errors
    /// If it does not answer 200.
    pub async fn page(&self, path: &str) -> Result<String, String> {
        admin_page(self.admin, self.namespace.as_ref(), path).await
    }

    /// POSTs to an admin page that does something, e.g. `/drain_listeners?graceful`.
    ///
    /// # Errors
    /// If it does not answer 200.
    pub async fn post(&self, path: &str) -> Result<(), String> {
        let mut curl = Command::new("curl");
        let url = format!("http://127.0.0.1:{}{path}", self.admin);
        curl.args([
            "-sS",
            "--fail-with-body",
            "--max-time",
            "30",
            "-X",
            "POST",
            &url,
        ]);
        let mut curl = match &self.namespace {
            Some(namespace) => namespace.enter(&curl),
            None => curl,
        };
        let curl = curl.output();
        match curl {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(format!("curl: {error}")),
        }
    }

    /// An admin page that is JSON, e.g. `/clusters?format=json`, `/config_dump`.
    ///
    /// # Errors
    /// If it does not answer 200, or not with JSON.
    pub async fn json(&self, path: &str) -> Result<Value, String> {
        let text = self.page(path).await?;
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}: {text}"))
    }

    /// The endpoints of a cluster as `address:port`, sorted; none if it has no
    /// such cluster.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn endpoints(&self, cluster: &str) -> Result<Vec<String>, String> {
        let clusters = self.json("/clusters?format=json").await?;
        let all = clusters["cluster_statuses"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let hosts = all
            .iter()
            .filter(|status| status["name"] == cluster)
            .flat_map(|status| {
                status["host_statuses"]
                    .as_array()
                    .map_or(&[][..], Vec::as_slice)
            });
        let socket = hosts.map(|host| &host["address"]["socket_address"]);
        let mut endpoints: Vec<String> = socket
            .map(|socket| {
                format!(
                    "{}:{}",
                    socket["address"].as_str().unwrap_or("?"),
                    socket["port_value"]
                )
            })
            .collect();
        endpoints.sort();
        Ok(endpoints)
    }

    /// The value of a counter or gauge, zero if it does not exist.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn stat(&self, name: &str) -> Result<u64, String> {
        let stats = self.page("/stats").await?;
        let value = stats
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map_or(Ok(0), |value| {
            value.parse().map_err(|_| format!("{name}: {value}"))
        })
    }

    /// Waits until `/ready` answers LIVE: for a sidecar, when it has its first
    /// configuration.
    pub async fn wait_until_ready(&mut self) {
        let (admin, namespace) = (self.admin, self.namespace.clone());
        let probe = async |_: &mut Process| admin_page(admin, namespace.as_ref(), "/ready").await;
        self.process.wait_until("it is ready", START, probe).await;
    }
}

/// From another namespace the admin port on 127.0.0.1 is reached by a program
/// inside of it.
async fn admin_page(
    port: u16,
    namespace: Option<&Namespace>,
    path: &str,
) -> Result<String, String> {
    let Some(namespace) = namespace else {
        let answer = get(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), path).await?;
        let ok = answer.status == StatusCode::OK;
        return if ok {
            Ok(answer.body)
        } else {
            Err(format!("{path}: {}: {}", answer.status, answer.body))
        };
    };
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--fail-with-body",
        "--max-time",
        "30",
        &format!("http://127.0.0.1:{port}{path}"),
    ]);
    let output = namespace
        .enter(&curl)
        .output()
        .map_err(|error| format!("curl: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(format!(
            "{path}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
