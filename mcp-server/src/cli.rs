//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dubbo_registry::source::SourceConfig;

use crate::config::{Config, ConfigError, Listen, Tls, check_export_to, duration};

/// Brings Apache Dubbo services from their registry into an Istio mesh: reads ZooKeeper, makes
/// Istio ServiceEntries of the providers, and serves them to istiod as a configuration source. Shows
/// what Dubbo traffic says, too.
#[derive(Debug, Parser)]
#[command(name = "dubbo-mesh", version, max_term_width = 100, after_long_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  See what a registry would become, without touching anything:
    dubbo-mesh convert --registry zookeeper://zk1:2181,zk2:2181/dubbo

  See whose calls would change if a port were routed by the mesh:
    dubbo-mesh plan --registry zookeeper://zk1:2181/dubbo --port 20880 --namespace shop

  Serve it to an istiod in the same pod (meshConfig: configSources: [{address: \"xds://127.0.0.1:18848\"}, {address: \"k8s://\"}]):
    dubbo-mesh serve --registry zookeeper://zk1:2181/dubbo

  The same from a file, which knows ports, modes, labels and more:
    dubbo-mesh check --config dubbo-mesh.yaml
    dubbo-mesh serve --config dubbo-mesh.yaml

  Look at Dubbo traffic:
    tcpdump -i any -s 0 -w - port 20880 | dubbo-mesh decode";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follows registries and serves their services to control planes
    #[command(after_long_help = SERVE)]
    Serve(Serve),
    /// Reads registries once and prints the ServiceEntries as Kubernetes manifests
    #[command(after_long_help = CONVERT)]
    Convert(Convert),
    /// Checks a configuration file and reports errors with line and column
    Check(Check),
    /// Shows what Dubbo frames say: of a packet capture, of recorded bytes, of a hex dump
    #[command(after_long_help = DECODE)]
    Decode(Decode),
    /// Reports what would change if ports were switched to http2 mode
    #[command(after_long_help = PLAN)]
    Plan(Plan),
}

const SERVE: &str = "\
Registries:
  zookeeper://[user:password@]host[:2181][,host…][/root]   root: /dubbo if none is given
      ?backup=host:port,…    more servers, as Dubbo writes it
      &group=a/b             root, as Dubbo writes it
      &session-timeout=30s   &audit-interval=60s   &tls=true   &password-file=PATH …
  file:providers.yaml        a YAML list of provider URLs, read again when it changes

Ends on SIGTERM, SIGINT or SIGHUP: readiness goes away, streams end with UNAVAILABLE, so that istiod
reconnects, and open connections get a few seconds.

Exit status: 0 after a signal, 1 when something stopped working, 2 for a bad command line or
configuration.";

const CONVERT: &str = "\
ServiceEntries go to standard output, what is refused and why to standard error.

Exit status: 0 done, 1 something was refused and --strict was given, 2 a registry could not be read
(or a bad command line or configuration).";

const DECODE: &str = "\
Input, told by its first bytes: Dubbo2 frames one after the other, or a capture, pcap or pcapng
(IPv4 and IPv6 over Ethernet, VLAN, Linux cooked, loopback, raw IP). Streams of a capture are put in
order, responses are matched with their requests by id, and what is not Dubbo is named once.

Bodies in hessian2, fastjson2, fastjson, gson, jackson and msgpack are read. Values are shown as
JSON: $class names a Java class, $ref the n-th list, map or object of the body counted from 0, $bytes
and $date are what JSON has no word for.

Examples:
  What is called on this host, now:
    tcpdump -i any -s 0 -U -w - port 20880 | dubbo-mesh decode

  The calls of a capture that took longer than 100 ms:
    dubbo-mesh decode --output json trace.pcap | jq -c 'select(.elapsedMs > 100)'

  Bytes from a log:
    echo 'dabb2214 00000000 00000007 00000001 4e' | dubbo-mesh decode --hex
    echo '48 05 636f6c6f72 04 626c7565 5a' | dubbo-mesh decode --hex --hessian2

What is broken is shown up to the byte that is wrong, with its offset and the reason, and what comes
after it is shown again as soon as a frame begins.

Exit status: 0 everything was decoded, 1 something was broken, or missing from the capture, 2 the
input could not be read (or a bad command line).";

const PLAN: &str = "\
Reads the registries once, consumers and rules too, and writes nowhere. For each port: what sidecars
get, whose calls would change and why, how to switch, and how to switch back.

Examples:
  The ports that Dubbo has, before anything is configured:
    dubbo-mesh plan --registry zookeeper://zk1:2181,zk2:2181/dubbo

  One port, for callers in one namespace, with the Kubernetes services that have the same number:
    kubectl get services -A -o json > services.json
    dubbo-mesh plan --config dubbo-mesh.yaml --port 20880 --namespace shop --services services.json

  For machines, all of it:
    dubbo-mesh plan --config dubbo-mesh.yaml --output json --all

Exit status: 0 calls of today would be answered as before, 1 some would change, 2 something could
not be read (or a bad command line or configuration).";

/// Registries and the file, which every command that reads registries has.
#[derive(Debug, Args)]
pub struct Sources {
    /// A registry; can be given several times, and adds to those of the file
    // Read later: a message of the command line's own reader would show the credentials in it.
    #[arg(long, value_name = "URL")]
    pub registry: Vec<String>,
    /// Configuration file (YAML)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to read.
    #[command(flatten)]
    pub sources: Sources,
    /// Where istiod connects [default: 127.0.0.1:18848]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Certificate chain (PEM) of that port; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Allow plain text on an address that is not loopback
    #[arg(long)]
    pub insecure: bool,
    /// Where /livez, /readyz, /metrics, /clients, /registries and /refused are served [default:
    /// 127.0.0.1:18849]
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
    /// How log lines look
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        env = "DUBBO_MESH_LOG_FORMAT"
    )]
    pub log_format: LogFormat,
    /// Which log lines: error, warn, info, debug, trace, or per module (info,dubbo_registry=debug)
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "DUBBO_MESH_LOG"
    )]
    pub log: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `convert`
#[derive(Debug, Args)]
pub struct Convert {
    /// Where to read.
    #[command(flatten)]
    pub sources: Sources,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    pub output: Output,
    /// Exit with 1 if a provider was refused
    #[arg(long)]
    pub strict: bool,
    /// How long the reading may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    pub timeout: Duration,
}

/// What `convert` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// YAML documents.
    Yaml,
    /// One Kubernetes List.
    Json,
}

/// `check`
#[derive(Debug, Args)]
pub struct Check {
    /// Configuration file (YAML)
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `decode`
#[derive(Debug, Args)]
pub struct Decode {
    /// Capture or frames; standard input if there is none, or for `-`
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The input is text: hexadecimal digits, or a dump of xxd, hexdump -C, tcpdump -x or Wireshark
    #[arg(long)]
    pub hex: bool,
    /// The input is one or more Hessian 2 values, without a frame
    #[arg(long, conflicts_with = "jsonb")]
    pub hessian2: bool,
    /// The input is a JSONB value (fastjson2), without a frame
    #[arg(long)]
    pub jsonb: bool,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: DecodeOutput,
    /// As text, cut values behind so many characters; 0 shows all
    #[arg(long, value_name = "CHARACTERS", default_value_t = 2000)]
    pub longest: usize,
    /// Longest body of a frame that is read; longer ones are passed over
    #[arg(long, value_name = "BYTES", default_value_t = 8 * 1024 * 1024)]
    pub max_body: u32,
    /// Most connections of a capture that are followed at once; those that were silent longest give way
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = at_least_one)]
    pub max_connections: usize,
    /// Most bytes that the connections of a capture may hold together: unfinished frames, segments
    /// that wait for others
    #[arg(long, value_name = "BYTES", default_value_t = 256 * 1024 * 1024)]
    pub max_memory: usize,
}

/// What `decode` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DecodeOutput {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it has to be 1 at least".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// `plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Where to read.
    #[command(flatten)]
    pub sources: Sources,
    /// A port to switch; can be given several times [default: those of ports.http2, else those that
    /// Dubbo has]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// A namespace of callers; can be given several times [default: those of ports.http2, else all]
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: Vec<Arc<str>>,
    /// Output of `kubectl get services -A -o json` (or yaml)
    #[arg(long, value_name = "FILE")]
    pub services: Option<PathBuf>,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: PlanOutput,
    /// Names in each list, at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
    /// Whole lists
    #[arg(long)]
    pub all: bool,
    /// How long the reading may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse)]
    pub timeout: Duration,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// One YAML document.
    Yaml,
}

/// A namespace, or `*`.
fn namespace(text: &str) -> Result<Arc<str>, String> {
    let name: Arc<str> = text.into();
    check_export_to(std::slice::from_ref(&name)).map(|()| name)
}

impl Sources {
    /// The configuration: the file, and the registries of the command line besides.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let mut config = match &self.config {
            Some(path) => Config::from_file(path)?,
            None => Config::defaults()?,
        };
        for (index, url) in self.registry.iter().enumerate() {
            let registry: SourceConfig = url.parse().map_err(|error| {
                ConfigError(format!("--registry number {}: {error}", index + 1))
            })?;
            if config
                .registries
                .iter()
                .any(|known| known.id() == registry.id())
            {
                return Err(ConfigError(format!(
                    "registry {} is given twice",
                    registry.id()
                )));
            }
            config.registries.push(registry);
        }
        if config.registries.is_empty() {
            return Err(ConfigError(
                "no registry: give --registry zookeeper://host:2181/dubbo, --registry \
                 file:providers.yaml, or a --config file with `registries`"
                    .to_owned(),
            ));
        }
        Ok(config)
    }
}

impl Serve {
    /// The configuration of the server: what the command line says goes before what the file says.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let mut config = self.sources.config()?;
        let address = self.listen.unwrap_or(config.listen.address);
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            _ => config.listen.tls.take(),
        };
        let insecure = self.insecure || config.listen.insecure;
        let clients = std::mem::take(&mut config.listen.clients);
        config.listen = Listen::new(address, tls, insecure, clients).map_err(ConfigError)?;
        config.admin = self.admin.unwrap_or(config.admin);
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_shows_credentials() {
        for url in [
            "zookeeper://bob:s3cret@zk:0/dubbo",
            "zookeeper://bob:s3cret/x@zk/dubbo",
            "zookeeper://zk?username=bob&password=s3cret&nope=1",
        ] {
            let words = [
                "dubbo-mesh",
                "convert",
                "--registry",
                "file:a",
                "--registry",
                url,
            ];
            let Command::Convert(convert) = Cli::try_parse_from(words).unwrap().command else {
                panic!("not convert")
            };
            let error = convert.sources.config().unwrap_err().0;
            assert!(error.starts_with("--registry number 2: "), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
