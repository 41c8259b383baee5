//! Applications with and without sidecars, and ports of both modes, in one mesh.
//!
//! ```text
//!  shop, sidecar with the filter ─┐       ┌─ pay, sidecar: 20880 http2, 20890 tcp
//!  nobody's, no sidecar          ─┴───────┴─ nobody's:     20880 http2, 20890 tcp
//! ```

use std::fs;
use std::net::SocketAddr;

use serde_json::json;
use support::{
    Authority, ConsumerSettings, DubboVersion, Envoy, EnvoySettings, GATEWAY, IstiodSettings,
    Namespace, Provider, ProviderSettings, Secrets, Service, ZooKeeper, ZooKeeperVersion, isolated,
    module_dir, work_dir,
};

use super::super::{SOURCE, becomes};
use super::{OUTBOUND, registry, serving};

/// A pod with its sidecar.
pub(super) struct Sidecar {
    pub(super) envoy: Envoy,
    pub(super) secrets: Secrets,
}

pub(super) async fn sidecar(
    name: &str,
    namespace: &str,
    pod: &Namespace,
    authority: &Authority,
) -> Sidecar {
    pod.redirect_to_sidecar();
    let secrets = Secrets::start(authority, &authority.workload(namespace, name)).await;
    let istiod = SocketAddr::from((GATEWAY, 15010));
    let mut envoy = EnvoySettings::sidecar(name, namespace, istiod)
        .metadata("DUBBO_MESH", json!("1"))
        .metadata("SERVICE_ACCOUNT", json!(name))
        .modules(module_dir())
        .secrets(secrets.address())
        .inside(pod)
        .start()
        .await;
    envoy.wait_until_ready().await;
    Sidecar { envoy, secrets }
}

/// The same service on a port of each mode.
async fn provider(name: &str, pod: &Namespace) -> Provider {
    ProviderSettings::new(DubboVersion::V3_3, registry())
        .named(name)
        .set("application.name", name)
        .protocol("dubbo", 20880)
        .set("protocol.0.id", "one")
        .protocol("dubbo", 20890)
        .set("protocol.1.id", "two")
        .service(Service::new("com.acme.Greeter"))
        .inside(pod)
        .start()
        .await
}

/// Who answered a call from `pod` to exactly this address.
async fn answerer(pod: &Namespace, address: SocketAddr) -> String {
    let mut consumer = ConsumerSettings::new(DubboVersion::V2_7, "N/A", "com.acme.Greeter")
        .set(
            "reference.url",
            format!("dubbo://{address}/com.acme.Greeter"),
        )
        .inside(pod)
        .start()
        .await;
    consumer.call("greet World").await
}

#[test]
fn every_pair_of_converted_and_unconverted_applications_talks_on_ports_of_both_modes() {
    isolated(async || {
        let [caller, outside, inside, bare] =
            [("caller", 1), ("outside", 2), ("inside", 3), ("bare", 4)]
                .map(|(name, host)| Namespace::new(name, host));
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let _bare = provider("bare", &bare).await;
        let config = format!(
            "ports: {{http2: [{{ports: [20880], namespaces: [shop]}}]}}
workloads: [{{cidrs: [{}], inMesh: true}}]
filter: {{}}\n",
            inside.address()
        );
        let _mesh = serving(&zookeeper, &config).await;
        let resources = work_dir().join("resources");
        fs::create_dir(&resources).unwrap();
        fs::write(resources.join("own.yaml"), RULE).unwrap();
        let _istiod = IstiodSettings::new(&[SOURCE, &format!("fs://{}", resources.display())])
            .mesh("enableAutoMtls: true")
            .start()
            .await;
        let authority = Authority::new("cluster.local");
        let shop = sidecar("caller", "shop", &caller, &authority).await;
        let pay = sidecar("inside", "pay", &inside, &authority).await;
        let _inside = provider("inside", &inside).await;
        // Both ports of both: an endpoint is called on its own port, whatever port of the service.
        let all = [&inside, &bare].map(|pod| {
            let address = pod.address();
            [20880, 20890].map(|port| format!("{address}:{port}"))
        });
        becomes("both providers", all.concat(), async || {
            shop.envoy.endpoints(OUTBOUND).await
        })
        .await;
        becomes("the routes", true, async || {
            let dump = shop.envoy.page("/config_dump").await?;
            Ok(dump.contains("of-the-test"))
        })
        .await;

        // Without a sidecar, and on a port in tcp mode, whoever is dialled answers.
        for (from, port) in [(&outside, 20880), (&outside, 20890), (&caller, 20890)] {
            for (to, name) in [(&inside, "inside"), (&bare, "bare")] {
                let answer = answerer(from, SocketAddr::from((to.address(), port))).await;
                assert_eq!(answer, format!("RESULT hello World from {name}"));
            }
        }
        let routed = |name: &str| format!("cluster.outbound|20880|{name}|com.acme.greeter.dubbo;.");
        let stat = async |name: &str, what: &str| {
            let name = format!("{}{what}", routed(name));
            shop.envoy.stat(&name).await.unwrap()
        };
        assert_eq!(stat("inside", "upstream_rq_total").await, 0);
        assert_eq!(stat("bare", "upstream_rq_total").await, 0);
        let clear = pay.envoy.stat(HANDSHAKES).await.unwrap();
        assert_eq!(clear, 0);

        // With one the routes decide, whoever is dialled: here that it is the one with a sidecar, by
        // mutual TLS, and from then on the one without, in plain text.
        for name in ["inside", "bare"] {
            fs::write(
                resources.join("own.yaml"),
                RULE.replace("subset: inside", &format!("subset: {name}"))
                    .replace("of-the-test", &format!("to-{name}")),
            )
            .unwrap();
            becomes(name, true, async || {
                let dump = shop.envoy.page("/config_dump").await?;
                Ok(dump.contains(&format!("to-{name}")))
            })
            .await;
            for to in [&inside, &bare] {
                let answer = answerer(&caller, SocketAddr::from((to.address(), 20880))).await;
                assert_eq!(answer, format!("RESULT hello World from {name}"));
            }
            assert_eq!(stat(name, "upstream_rq_total").await, 2);
        }
        assert_ne!(stat("inside", "ssl.handshake").await, 0);
        assert_eq!(stat("bare", "ssl.handshake").await, 0);
        assert_ne!(pay.envoy.stat(HANDSHAKES).await.unwrap(), 0);
    });
}

/// Of what comes into the provider's pod.
const HANDSHAKES: &str = "listener.0.0.0.0_15006.ssl.handshake";
const RULE: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: greeter, namespace: shop}
spec:
  host: com.acme.greeter.dubbo
  subsets:
  - {name: inside, labels: {application: inside}}
  - {name: bare, labels: {application: bare}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: greeter, namespace: shop}
spec:
  hosts: [com.acme.greeter.dubbo]
  http:
  - name: of-the-test
    route: [{destination: {host: com.acme.greeter.dubbo, subset: inside}}]
";
