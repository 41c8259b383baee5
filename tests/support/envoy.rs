//! The real Envoy, as a sidecar of istiod's or with a bootstrap of the test's own.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::envoy_admin::Envoy;
use crate::installed::installed;
use crate::isolation::fresh_dir;
use crate::network::{Namespace, SIDECAR_USER};
use crate::process::Process;

/// How an Envoy runs.
#[derive(Debug, Clone)]
pub struct EnvoySettings {
    name: String,
    bootstrap: Value,
    admin: u16,
    log_level: String,
    modules: Option<PathBuf>,
    version: &'static str,
    environment: Vec<(String, String)>,
    drain: Option<u32>,
    workers: u32,
    namespace: Option<Namespace>,
    user: Option<u32>,
}

impl EnvoySettings {
    /// With a bootstrap of the test's own, without its `admin`.
    #[must_use]
    pub fn new(name: &str, bootstrap: Value) -> Self {
        Self {
            name: name.to_owned(),
            bootstrap,
            admin: 15000,
            log_level: "info".to_owned(),
            modules: None,
            version: "envoy",
            environment: Vec::new(),
            drain: None,
            workers: 1,
            namespace: None,
            user: None,
        }
    }

    /// A sidecar `name` in the Kubernetes namespace `namespace` whose istiod is at
    /// `istiod`. Its listeners are bound to 127.0.0.1 (istiod's interception mode
    /// `NONE`), so that clients reach them without any redirection; see
    /// [`metadata`](Self::metadata) to change that.
    #[must_use]
    pub fn sidecar(name: &str, namespace: &str, istiod: SocketAddr) -> Self {
        let http2 = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}}
            }
        });
        let address = json!({"socket_address": {"address": istiod.ip().to_string(), "port_value": istiod.port()}});
        let ads = json!({"ads": {}, "resource_api_version": "V3"});
        let settings = Self::new(
            name,
            json!({
                "node": {"cluster": format!("{name}.{namespace}"), "metadata": {
                    "NAMESPACE": namespace, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.31.0",
                    "INTERCEPTION_MODE": "NONE", "LABELS": {"app": name},
                }},
                "dynamic_resources": {
                    "ads_config": {"api_type": "GRPC", "transport_api_version": "V3",
                        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}]},
                    "cds_config": ads, "lds_config": ads,
                },
                "static_resources": {"clusters": [{
                    "name": "xds-grpc", "type": "STATIC", "connect_timeout": "1s",
                    "typed_extension_protocol_options": http2,
                    "load_assignment": {"cluster_name": "xds-grpc", "endpoints": [
                        {"lb_endpoints": [{"endpoint": {"address": address}}]}
                    ]},
                }]},
            }),
        );
        settings.node_address(name, namespace, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)))
    }

    /// At this address, as its node says, and in the mode that redirection needs. Without a network of
    /// its own nothing reaches it there.
    ///
    /// # Panics
    /// If it was not made by [`sidecar`](Self::sidecar).
    #[must_use]
    pub fn at(self, address: Ipv4Addr) -> Self {
        let name = self.name.clone();
        let kubernetes = self.bootstrap["node"]["metadata"]["NAMESPACE"]
            .as_str()
            .expect("a sidecar")
            .to_owned();
        self.node_address(&name, &kubernetes, IpAddr::V4(address))
            .metadata("INTERCEPTION_MODE", Value::String("REDIRECT".to_owned()))
    }

    fn node_address(mut self, name: &str, namespace: &str, address: IpAddr) -> Self {
        let id = format!("sidecar~{address}~{name}.{namespace}~{namespace}.svc.cluster.local");
        self.bootstrap["node"]["id"] = Value::String(id);
        self
    }

    /// With certificates: the server of secrets, see [`Secrets`](crate::Secrets), as the agent beside
    /// a sidecar is one.
    ///
    /// # Panics
    /// If it was not made by [`sidecar`](Self::sidecar).
    #[must_use]
    pub fn secrets(mut self, server: SocketAddr) -> Self {
        let clusters = self.bootstrap["static_resources"]["clusters"]
            .as_array_mut()
            .expect("a sidecar");
        let mut cluster = clusters[0].clone();
        cluster["name"] = json!("sds-grpc");
        cluster["load_assignment"]["cluster_name"] = json!("sds-grpc");
        let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
        endpoint["endpoint"]["address"]["socket_address"] =
            json!({"address": server.ip().to_string(), "port_value": server.port()});
        clusters.push(cluster);
        self
    }

    /// A key of the node's metadata, e.g. `INTERCEPTION_MODE` `REDIRECT`.
    #[must_use]
    pub fn metadata(mut self, key: &str, value: Value) -> Self {
        self.bootstrap["node"]["metadata"][key] = value;
        self
    }

    /// Where it runs, as its node says.
    #[must_use]
    pub fn locality(mut self, region: &str, zone: &str) -> Self {
        self.bootstrap["node"]["locality"] = json!({"region": region, "zone": zone});
        self
    }

    /// A section of the bootstrap, e.g. `stats_config`.
    #[must_use]
    pub fn section(mut self, name: &str, value: Value) -> Self {
        self.bootstrap[name] = value;
        self
    }

    /// The port of its admin pages; 15000 otherwise. Two in one namespace need two.
    #[must_use]
    pub fn admin_port(mut self, port: u16) -> Self {
        self.admin = port;
        self
    }

    /// `debug`, `trace`, or per component, `info,http:debug`. Else `info`.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.log_level);
        self
    }

    /// A directory of dynamic modules, `lib<name>.so`.
    #[must_use]
    pub fn modules(mut self, dir: &Path) -> Self {
        self.modules = Some(dir.to_path_buf());
        self
    }

    /// An older Envoy, as `tests/setup` names it: `envoy-1.39`.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// For how long it drains connections; Envoy's default is ten minutes. It tells its peers at
    /// once, as Istio has it.
    #[must_use]
    pub fn drain_seconds(mut self, seconds: u32) -> Self {
        self.drain = Some(seconds);
        self
    }

    /// Threads that serve connections; one otherwise, so that what happens is the same each time.
    #[must_use]
    pub fn workers(mut self, count: u32) -> Self {
        self.workers = count;
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As the pod's sidecar in `namespace`: with its address, as the user that the
    /// redirection spares, and in the mode that redirection needs.
    ///
    /// # Panics
    /// If it was not made by [`sidecar`](Self::sidecar).
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.namespace = Some(namespace.clone());
        self.user = Some(SIDECAR_USER);
        self.at(namespace.address())
    }

    /// Starts it and waits until its admin pages answer; for a sidecar that is
    /// before it has heard of istiod.
    pub async fn start(self) -> Envoy {
        let (admin, namespace) = (self.admin, self.namespace.clone());
        Envoy::answering(self.launch(), admin, namespace).await
    }

    /// Starts it and does not wait: for one that is to refuse its configuration.
    #[must_use]
    pub fn launch(mut self) -> Process {
        let dir = fresh_dir(&self.name);
        let admin = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.admin}}});
        self.bootstrap["admin"] = admin;
        // Given as an argument: its user may not be able to read our files.
        let mut command = match self.user {
            None => Command::new(installed(self.version)),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", &user.to_string(), "--clear-groups"])
                    .arg(readable(Path::new(installed(self.version))));
                command
            }
        };
        command
            .args([
                "--config-yaml",
                &self.bootstrap.to_string(),
                "--use-dynamic-base-id",
                "--concurrency",
                &self.workers.to_string(),
            ])
            // Access logs are read while it runs.
            .args(["--file-flush-interval-msec", "50"])
            .args([
                "--log-level",
                self.log_level.split(',').next().unwrap_or("info"),
            ]);
        if let Some((_, components)) = self.log_level.split_once(',') {
            command.args(["--component-log-level", components]);
        }
        if let Some(seconds) = self.drain {
            command.args(["--drain-time-s", &seconds.to_string()]);
            command.args(["--drain-strategy", "immediate"]);
        }
        if let Some(modules) = &self.modules {
            let modules = if self.user.is_some() {
                readable(modules)
            } else {
                modules.clone()
            };
            command.env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", modules);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(namespace) = &self.namespace {
            command = namespace.enter(&command);
        }
        Process::spawn(&dir, &mut command)
    }
}

/// A path that any user can read: the cache and the build may stand in a home
/// directory that only its owner may enter.
fn readable(path: &Path) -> PathBuf {
    let name = path.file_name().expect("a named file or directory");
    let public = Path::new("/mnt").join(name);
    if !public.exists() {
        if path.is_dir() {
            fs::create_dir(&public)
        } else {
            fs::write(&public, "")
        }
        .expect("a mount point");
        let status = Command::new("mount")
            .arg("--bind")
            .args([path, &public])
            .status()
            .expect("mount");
        assert!(status.success(), "mount --bind {} failed", path.display());
    }
    public
}
