//! What of Istio works on a Dubbo call: its resources, through istiod, on the sidecars that it
//! configures. The section "What of Istio works on a Dubbo call" of the README is the list of these.
//!
//! ```text
//! caller ─Dubbo→ sidecar ─Dubbo→ a, b, near, far     one service for each feature, com.acme.<feature>
//! shop           10.77.0.1       10.77.0.101 ...     at any of them
//! ```

mod applications;
mod balance;
mod collector;
mod gateway;
mod guards;
mod judges;
mod metrics;
mod policy;
mod routes;
mod scope;
mod traces;
mod triple;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use support::{
    Call, CallAnswer, Deed, DubboMesh, Envoy, EnvoySettings, GATEWAY, Istiod, IstiodSettings,
    Methods, Namespace, WireConsumer, WireProvider, module_dir, without_certificates, work_dir,
};

use super::{SOURCE, becomes, serve};

/// The providers, and where they are. Nobody listens at `dead`.
const PROVIDERS: [(&str, u8); 5] = [
    ("a", 101),
    ("b", 102),
    ("near", 103),
    ("far", 104),
    ("dead", 105),
];

/// A service, and the providers that have registered it.
type Registered<'a> = (&'a str, &'a [&'a str]);

fn address(provider: &str) -> Ipv4Addr {
    let (_, host) = PROVIDERS
        .iter()
        .find(|(name, _)| *name == provider)
        .unwrap();
    Ipv4Addr::new(10, 77, 0, *host)
}

fn host(service: &str) -> String {
    format!("com.acme.{service}.dubbo")
}

fn cluster(service: &str) -> String {
    format!("outbound|20880||{}", host(service))
}

/// A DestinationRule for one service.
fn destination_rule(service: &str, spec: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {service}, namespace: shop}}
spec: {{host: {}, {spec}}}
",
        host(service)
    )
}

/// A VirtualService for one service, with its `http` routes.
fn virtual_service(service: &str, http: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {service}, namespace: shop}}
spec: {{hosts: [{}], http: [{http}]}}
",
        host(service)
    )
}

/// A pod of callers, with its sidecar.
struct Caller {
    network: Namespace,
    envoy: Envoy,
}

impl Caller {
    /// In the namespace shop, near/z1, with the label `app` of its name.
    async fn start(name: &str, host: u8) -> Self {
        Self::with(name, host, |settings| settings).await
    }

    /// The same, with what its sidecar has besides.
    async fn with(name: &str, host: u8, more: impl FnOnce(EnvoySettings) -> EnvoySettings) -> Self {
        let network = Namespace::new(name, host);
        network.redirect_to_sidecar();
        let settings = EnvoySettings::sidecar(name, "shop", SocketAddr::from((GATEWAY, 15010)))
            .metadata("DUBBO_MESH", json!("1"))
            .modules(module_dir())
            .locality("near", "z1")
            .inside(&network);
        let mut envoy = more(settings).start().await;
        envoy.wait_until_ready().await;
        Self { network, envoy }
    }

    /// A consumer in the pod, connected to the provider that its SDK has picked.
    fn consumer(&self, provider: &str) -> Consumer {
        let server = SocketAddr::from((address(provider), 20880));
        Consumer(Arc::new(WireConsumer::connect_from(&self.network, server)))
    }

    /// Waits until its configuration names all of these resources.
    async fn knows(&self, resources: &str) {
        let names = resources.split("---\n").filter_map(path_of);
        for name in names {
            becomes(&name, true, async || {
                Ok(self.envoy.page("/config_dump").await?.contains(&name))
            })
            .await;
        }
    }

    /// A statistic of a service's cluster.
    async fn stat(&self, service: &str, name: &str) -> u64 {
        let name = format!("cluster.{};.{name}", cluster(service));
        self.envoy.stat(&name).await.unwrap()
    }
}

/// The end of the path by which istiod's configuration names a resource.
fn path_of(resource: &str) -> Option<String> {
    let resource: Value = serde_saphyr::from_str(resource).unwrap();
    let kind = match resource["kind"].as_str()? {
        "VirtualService" => "virtual-service",
        "DestinationRule" => "destination-rule",
        _ => return None,
    };
    let name = resource["metadata"]["name"].as_str().unwrap();
    Some(format!("/{kind}/{name}\""))
}

#[derive(Clone)]
struct Consumer(Arc<WireConsumer>);

impl Consumer {
    /// One call; the argument is for the providers, see [`methods`].
    async fn call(&self, service: &str, method: &str, argument: &str) -> CallAnswer {
        self.make(&call(service, method, argument)).await
    }

    async fn make(&self, call: &Call) -> CallAnswer {
        self.0.call(call).await.unwrap()
    }

    /// Who answered so many calls, and how often.
    async fn tally(&self, calls: usize, call: &Call) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for _ in 0..calls {
            let answer = self.make(call).await;
            assert_eq!(answer.status, 20, "{answer:?}");
            *tally.entry(answer.text).or_default() += 1;
        }
        tally
    }
}

fn call(service: &str, method: &str, argument: &str) -> Call {
    Call::new(&format!("com.acme.{service}"), method, argument)
}

fn tally(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    let owned = |(name, count): &(&str, usize)| ((*name).to_owned(), *count);
    expected.iter().map(owned).collect()
}

/// What a provider does: all but `greet` happens only at the provider that the argument names.
fn methods(name: &'static str) -> Methods {
    Arc::new(move |method, argument| {
        let answer = Deed::Return(name.to_owned());
        match method {
            _ if argument != name && argument != "all" => answer,
            "fail" => Deed::Fail(80, "out of order".to_owned()),
            "ignore" => Deed::Ignore,
            _ => answer,
        }
    })
}

/// Dubbo on 20880, by host; where providers are; and what routes may ask for.
const CONFIG: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop]}]}
workloads:
- {cidrs: [10.77.0.103], locality: near/z1}
- {cidrs: [10.77.0.104], locality: far/z2}
filter: {options: {attachments: [region, case]}}
";

/// What differs from the plainest mesh.
struct Settings<'a> {
    /// Our own configuration.
    config: &'a str,
    /// What istiod reads beside ours.
    resources: &'a str,
    /// Lines of its mesh configuration.
    mesh: &'a str,
    /// What it finds in Kubernetes; with anything there it reads the Gateway API too.
    objects: Vec<Value>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            config: CONFIG,
            resources: "",
            mesh: "",
            objects: Vec::new(),
        }
    }
}

/// What makes the sidecars' configuration.
struct Control {
    istiod: Istiod,
    _mesh: DubboMesh,
}

impl Control {
    /// Of a registry.
    async fn start(registry: &str, settings: Settings<'_>) -> Self {
        let config = work_dir().join("config.yaml");
        fs::write(&config, settings.config).unwrap();
        let config = config.to_str().unwrap();
        let dubbo_mesh = serve(&["--registry", registry, "--config", config]).await;
        let own = work_dir().join("resources");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("own.yaml"), settings.resources).unwrap();
        let gateways = (!settings.objects.is_empty()).to_string();
        let istiod = IstiodSettings::new(&[SOURCE, &format!("fs://{}", own.display())])
            .mesh(settings.mesh)
            .environment("PILOT_ENABLE_GATEWAY_API", &gateways)
            .kubernetes([without_certificates(), settings.objects].concat())
            .start()
            .await;
        Self {
            istiod,
            _mesh: dubbo_mesh,
        }
    }
}

/// Everything but the callers.
struct Stage {
    providers: BTreeMap<&'static str, Arc<WireProvider>>,
    registry: PathBuf,
    control: Control,
}

impl Stage {
    async fn start(services: &[Registered<'_>], resources: &str, mesh: &str) -> Self {
        let settings = Settings {
            resources,
            mesh,
            ..Settings::default()
        };
        Self::with(services, settings).await
    }

    async fn with(services: &[Registered<'_>], settings: Settings<'_>) -> Self {
        // The first of them makes the bridge that the providers' addresses are on.
        drop(Namespace::new("bridge", 250));
        let mut providers = BTreeMap::new();
        for (name, _) in PROVIDERS {
            let add = format!("ip addr add {}/32 dev mesh0", address(name));
            let added = Command::new("sh").args(["-ec", &add]).status();
            assert!(added.unwrap().success());
            if name != "dead" {
                let server = SocketAddr::from((address(name), 20880));
                providers.insert(name, WireProvider::start_at(server, methods(name)).await);
            }
        }
        let registry = work_dir().join("providers.yaml");
        fs::write(&registry, urls(services)).unwrap();
        let control = Control::start(&format!("file:{}", registry.display()), settings).await;
        Self {
            providers,
            registry,
            control,
        }
    }

    /// Registers these services, and no others.
    fn register(&self, services: &[Registered<'_>]) {
        let new = self.registry.with_extension("new");
        fs::write(&new, urls(services)).unwrap();
        fs::rename(new, &self.registry).unwrap();
    }

    /// The calls that a provider got of a service, as frames.
    fn seen(&self, provider: &str, service: &str) -> Vec<Vec<u8>> {
        let name = format!("com.acme.{service}");
        let mut frames = self.providers[provider].seen();
        frames.retain(|frame| {
            frame
                .windows(name.len())
                .any(|part| part == name.as_bytes())
        });
        frames
    }
}

/// The providers as the registry has them.
fn urls(services: &[Registered<'_>]) -> String {
    let url = |service: &str, provider: &&str| {
        let (address, interface) = (address(provider), format!("com.acme.{service}"));
        format!(
            "- dubbo://{address}:20880/{interface}?interface={interface}&application={provider}&side=provider\n"
        )
    };
    let all = services
        .iter()
        .flat_map(|(service, providers)| providers.iter().map(move |at| url(service, at)));
    all.collect()
}
