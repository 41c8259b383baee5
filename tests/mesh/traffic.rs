//! Calls that go where the entries say, and by which cluster.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{
    ConsumerSettings, DubboVersion, Envoy, EnvoySettings, GATEWAY, IstiodSettings, Namespace,
    ProviderSettings, Service, ZooKeeper, ZooKeeperVersion, create, isolated, work_dir,
};
use tokio::net::TcpListener;
use zookeeper_client::CreateMode;

use super::{SOURCE, becomes, serve, without_certificates};

/// A Dubbo consumer in a pod dials the virtual address of a service: its sidecar
/// takes the call to the provider, by the cluster of that service.
#[test]
fn a_call_to_the_virtual_address_reaches_the_provider() {
    isolated(async || {
        let pod = Namespace::new("caller", 1);
        pod.redirect_to_sidecar();
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let _provider = ProviderSettings::new(DubboVersion::V3_3, zookeeper.registry())
            .named("the-provider")
            .protocol("dubbo", 20880)
            .service(Service::new("com.acme.Greeter"))
            .start()
            .await;
        let _mesh = serve(&["--registry", &zookeeper.registry()]).await;
        let istiod = IstiodSettings::new(&[SOURCE])
            .kubernetes(without_certificates())
            .start()
            .await;
        let address = SocketAddr::from((GATEWAY, istiod.xds_address().port()));
        let envoy = EnvoySettings::sidecar("caller", "shop", address)
            .inside(&pod)
            .start()
            .await;
        let configs = istiod.configs("ServiceEntry").await.unwrap();
        let vip = configs[0]["spec"]["addresses"][0]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(vip.starts_with("241."), "{vip}");
        becomes("it is ready", true, async || {
            Ok(envoy.page("/ready").await.is_ok())
        })
        .await;
        becomes("the listener of the address", true, async || {
            Ok(envoy
                .page("/listeners")
                .await?
                .contains(&format!("{vip}_20880")))
        })
        .await;
        let mut consumer = ConsumerSettings::new(DubboVersion::V2_7, "N/A", "com.acme.Greeter")
            .set(
                "reference.url",
                format!("dubbo://{vip}:20880/com.acme.Greeter"),
            )
            .inside(&pod)
            .start()
            .await;
        let answer = consumer.call("greet World").await;
        assert!(
            answer.starts_with("RESULT ") && answer.contains("the-provider"),
            "{answer}"
        );
        assert!(carried(&envoy, "outbound|20880||com.acme.greeter.dubbo", "cx_total").await >= 1);
        assert_eq!(carried(&envoy, "PassthroughCluster", "cx_total").await, 0);
    });
}

/// Two services in http2 mode on one port number: the sidecar chooses by the
/// host of the request, whatever address it was sent to.
#[test]
fn an_http2_request_goes_to_the_service_of_its_host() {
    isolated(async || {
        let pod = Namespace::new("caller", 1);
        pod.redirect_to_sidecar();
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        for (host, interface) in [(101, "com.acme.A"), (102, "com.acme.B")] {
            let address = backend(host, interface).await;
            let url = format!("dubbo://{address}:20880/{interface}?interface={interface}");
            let url = url
                .replace(':', "%3A")
                .replace('/', "%2F")
                .replace('?', "%3F")
                .replace('=', "%3D");
            let path = format!("/dubbo/{interface}/providers/{url}");
            create(&client, &path, "", CreateMode::Ephemeral).await;
        }
        let config = work_dir().join("config.yaml");
        std::fs::write(
            &config,
            "ports: {http2: [{ports: [20880], namespaces: [shop]}]}\n",
        )
        .unwrap();
        let config = config.to_str().unwrap();
        let _mesh = serve(&["--registry", &zookeeper.registry(), "--config", config]).await;
        let istiod = IstiodSettings::new(&[SOURCE])
            .kubernetes(without_certificates())
            .start()
            .await;
        let address = SocketAddr::from((GATEWAY, istiod.xds_address().port()));
        let envoy = EnvoySettings::sidecar("caller", "shop", address)
            .inside(&pod)
            .start()
            .await;
        let listener = "0.0.0.0_20880::0.0.0.0:20880";
        becomes("it is ready", true, async || {
            Ok(envoy.page("/ready").await.is_ok())
        })
        .await;
        becomes("the listener of the port", true, async || {
            Ok(envoy.page("/listeners").await?.contains(listener))
        })
        .await;
        for interface in ["com.acme.A", "com.acme.B"] {
            let host = format!("{}.dubbo", interface.to_lowercase());
            let cluster = format!("outbound|20880||{host}");
            let before = carried(&envoy, &cluster, "rq_total").await;
            // An address that nobody has: only the host can have chosen.
            assert_eq!(request(&pod, &host, "http://10.96.0.9:20880/"), interface);
            assert_eq!(carried(&envoy, &cluster, "rq_total").await, before + 1);
        }
    });
}

/// The sum of a statistic over the endpoints of a cluster.
pub(super) async fn carried(envoy: &Envoy, cluster: &str, statistic: &str) -> u64 {
    let page = envoy.page("/clusters").await.unwrap();
    let value = |line: &str| {
        let rest = line.strip_prefix(cluster)?.strip_prefix("::")?;
        let (endpoint, value) = rest.rsplit_once("::")?;
        endpoint
            .strip_suffix(statistic)?
            .ends_with("::")
            .then(|| value.parse::<u64>().ok())?
    };
    page.lines().filter_map(value).sum()
}

/// An HTTP/2 server at 10.77.0.`host`:20880 that answers with `name`.
async fn backend(host: u8, name: &'static str) -> Ipv4Addr {
    let address = Ipv4Addr::new(10, 77, 0, host);
    let added = Command::new("ip")
        .args(["addr", "add", &format!("{address}/32"), "dev", "mesh0"])
        .status();
    assert!(added.unwrap().success());
    let listener = TcpListener::bind((address, 20880)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let answer = service_fn(move |_| async move {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
                    name.as_bytes(),
                ))))
            });
            let server = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(tcp), answer));
        }
    });
    address
}

/// The body that an HTTP/2 request from the pod is answered with.
fn request(pod: &Namespace, host: &str, url: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--max-time",
        "10",
        "--http2-prior-knowledge",
    ]);
    curl.args(["--header", &format!("host: {host}"), url]);
    let output = pod.enter(&curl).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
