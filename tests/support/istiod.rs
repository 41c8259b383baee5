//! The real istiod, fed by configuration sources and by no cluster.
//!
//! ```text
//! dubbo-mesh ─MCP over xDS→ istiod :15010 ─xDS→ Envoy
//!                             │ :8080 ready, debug   :15014 metrics
//!                    Kubernetes (ours, see kubernetes.rs)
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::http::{Answer, get};
use crate::installed::installed;
use crate::isolation::fresh_dir;
use crate::kubernetes::Kubernetes;
use crate::process::Process;

/// Two seconds on an idle machine.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);

/// How istiod runs.
#[derive(Debug, Clone)]
pub struct IstiodSettings {
    sources: Vec<String>,
    trusted: Option<String>,
    mesh: String,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    objects: Vec<Value>,
}

impl IstiodSettings {
    /// With these configuration sources, e.g. `xds://127.0.0.1:18848`; istiod ends
    /// at once if one does not accept a connection. Plain traffic inside of the
    /// mesh, and no filter of Istio's own that stock Envoy does not have.
    #[must_use]
    pub fn new(sources: &[&str]) -> Self {
        let settings = Self {
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
            trusted: None,
            mesh: String::new(),
            environment: Vec::new(),
            arguments: Vec::new(),
            objects: Vec::new(),
        };
        let environment = [
            ("POD_NAME", "istiod-test"),
            ("ENABLE_CA_SERVER", "false"),
            ("PILOT_CERT_PROVIDER", "none"),
            ("PILOT_ENABLE_GATEWAY_API", "false"),
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
        ];
        let settings = environment
            .iter()
            .fold(settings, |settings, (name, value)| {
                settings.environment(name, value)
            });
        settings.mesh("enableAutoMtls: false")
    }

    /// The sources speak TLS, with certificates of this authority (PEM).
    #[must_use]
    pub fn trusting(mut self, authority: &str) -> Self {
        self.trusted = Some(authority.to_owned());
        self
    }

    /// Lines of the mesh configuration (YAML). A later line replaces an earlier
    /// one of the same key.
    #[must_use]
    pub fn mesh(mut self, lines: &str) -> Self {
        let key = |line: &str| line.split(':').next().unwrap_or("").to_owned();
        let kept: Vec<&str> = self
            .mesh
            .lines()
            .filter(|old| !lines.lines().any(|new| key(new) == key(old)))
            .collect();
        self.mesh = format!("{}\n{lines}", kept.join("\n"));
        self
    }

    /// An environment variable; the last one of a name counts.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A further argument, e.g. `--log_output_level=default:info,adsc:debug`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Pods, Services and the like, as istiod would find them in its cluster.
    #[must_use]
    pub fn kubernetes(mut self, objects: Vec<Value>) -> Self {
        self.objects = objects;
        self
    }

    /// Starts it and waits until it is ready, which is when each source has
    /// answered everything.
    pub async fn start(self) -> Istiod {
        let mut istiod = self.launch().await;
        istiod.wait_until_ready().await;
        istiod
    }

    /// Starts it and does not wait.
    pub async fn launch(self) -> Istiod {
        let dir = fresh_dir("istiod");
        let kubernetes = Kubernetes::start(self.objects.clone()).await;
        let tls = self.trusted.as_ref().map_or_else(String::new, |pem| {
            format!(", tlsSettings: {{mode: SIMPLE, caCertificates: {pem:?}}}")
        });
        let sources = self
            .sources
            .iter()
            .map(|source| format!("{{address: \"{source}\"{tls}}}"));
        let sources: Vec<String> = sources
            .chain(["{address: \"k8s://\"}".to_owned()])
            .collect();
        let sources = sources.join(", ");
        fs::write(
            dir.join("mesh.yaml"),
            format!("configSources: [{sources}]\n{}\n", self.mesh),
        )
        .expect("mesh.yaml");
        fs::write(dir.join("kubeconfig"), kubernetes.config()).expect("kubeconfig");
        let process = spawn(&self, &dir);
        Istiod {
            settings: self,
            dir,
            process,
            _kubernetes: kubernetes,
        }
    }
}

fn spawn(settings: &IstiodSettings, dir: &PathBuf) -> Process {
    let registries = if settings.objects.is_empty() {
        ""
    } else {
        "Kubernetes"
    };
    let mut command = Command::new(installed("istiod"));
    command
        .current_dir(dir)
        .args([
            "discovery",
            "--meshConfig",
            "mesh.yaml",
            "--kubeconfig",
            "kubeconfig",
        ])
        .args([
            "--networksConfig",
            "/nonexistent",
            "--clusterID",
            "Kubernetes",
            "-n",
            "istio-system",
        ])
        .arg(format!("--registries={registries}"))
        .args([
            "--httpAddr",
            ":8080",
            "--grpcAddr",
            ":15010",
            "--monitoringAddr",
            ":15014",
        ])
        .args([
            "--secureGRPCAddr",
            "",
            "--httpsAddr",
            "",
            "--ctrlz_port",
            "0",
        ])
        .args(&settings.arguments)
        .envs(
            settings
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        );
    Process::spawn(dir, &mut command)
}

/// An istiod that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Istiod {
    settings: IstiodSettings,
    dir: PathBuf,
    process: Process,
    _kubernetes: Kubernetes,
}

impl Istiod {
    /// Its process: log, signals.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where proxies find it in the test's own namespace.
    #[must_use]
    pub fn xds_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 15010))
    }

    /// Whether `/ready` says so.
    pub async fn is_ready(&self) -> bool {
        self.page("/ready").await.is_ok()
    }

    /// Waits until it is ready.
    ///
    /// # Panics
    /// If it ends, as it does when a source cannot be reached.
    pub async fn wait_until_ready(&mut self) {
        let ready = async |_: &mut Process| page(8080, "/ready").await;
        self.process.wait_until("it is ready", START, ready).await;
    }

    /// Waits for its end, for a test that expects it.
    pub async fn wait_for_end(&mut self) -> std::process::ExitStatus {
        self.process.wait(START).await
    }

    /// Ends it as an operator would.
    pub async fn stop(&mut self) {
        self.process.terminate(STOP).await;
    }

    /// Stops it and starts it again with the same settings, ready.
    pub async fn restart(&mut self) {
        self.process.terminate(STOP).await;
        self.process = spawn(&self.settings, &self.dir);
        self.wait_until_ready().await;
    }

    /// A page of its debug port, e.g. `/debug/registryz`.
    ///
    /// # Errors
    /// If it does not answer 200.
    pub async fn page(&self, path: &str) -> Result<String, String> {
        page(8080, path).await
    }

    /// A debug page that is JSON.
    ///
    /// # Errors
    /// If it does not answer 200, or not with JSON.
    pub async fn json(&self, path: &str) -> Result<Value, String> {
        let text = self.page(path).await?;
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}: {text}"))
    }

    /// All that it has received, from `/debug/configz`: objects with `kind`,
    /// `metadata` and `spec`. Its `metadata.resourceVersion` is our `version`.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn configz(&self) -> Result<Vec<Value>, String> {
        match self.json("/debug/configz").await? {
            Value::Array(configs) => Ok(configs),
            Value::Null => Ok(Vec::new()),
            other => Err(format!("/debug/configz: not a list: {other}")),
        }
    }

    /// [`configz`](Self::configz), of one kind, e.g. `ServiceEntry`.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn configs(&self, kind: &str) -> Result<Vec<Value>, String> {
        Ok(self
            .configz()
            .await?
            .into_iter()
            .filter(|config| config["kind"] == kind)
            .collect())
    }

    /// Its metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn metrics(&self) -> Result<String, String> {
        page(15014, "/metrics").await
    }

    /// The sum of a metric over all its labels that contain `labels`, e.g.
    /// `pilot_xds_pushes` and `type="eds"`. Zero if there is none.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn metric(&self, name: &str, labels: &str) -> Result<f64, String> {
        let metrics = self.metrics().await?;
        let samples = metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let fits = rest.starts_with(['{', ' ']) && rest.contains(labels);
            fits.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())
                .flatten()
        });
        Ok(samples.sum())
    }
}

async fn page(port: u16, path: &str) -> Result<String, String> {
    let Answer { status, body } = get(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), path).await?;
    if status == StatusCode::OK {
        Ok(body)
    } else {
        Err(format!("{path}: {status}: {body}"))
    }
}
