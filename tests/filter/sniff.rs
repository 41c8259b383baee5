//! The listener filter: Dubbo comes into the chain for HTTP, and nothing else is held up.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Call, WireConsumer, WireProvider, isolated};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Way, caller, echo, envoy};

/// A listener as istiod makes it: one chain for HTTP by ALPN, one for the rest, and HTTP inspected.
/// The chains are TCP proxies here, so that it is seen which one was taken.
fn listener(timeout: &str) -> Value {
    let chain = |cluster: &str, matches: Value| {
        json!({"filter_chain_match": matches, "filters": [{
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": cluster, "cluster": cluster,
            },
        }]})
    };
    let cluster = |name: &str, port: u16| {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        json!({"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address}}]}
        ]}})
    };
    let mut rest = chain("rest", Value::Null);
    rest.as_object_mut().unwrap().remove("filter_chain_match");
    json!({"static_resources": {
        "clusters": [cluster("http", 8001), cluster("rest", 8002)],
        "listeners": [{
            "name": "0.0.0.0_20880",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 20880}},
            "listener_filters_timeout": timeout,
            "continue_on_listener_filters_timeout": true,
            "listener_filters": [
                {"name": "dubbo_sniff", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.listener.dynamic_modules.v3.DynamicModuleListenerFilter",
                    "dynamic_module_config": {"name": "dubbo_proxy_filter"}, "filter_name": "dubbo_sniff",
                }},
                {"name": "envoy.filters.listener.http_inspector", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
                }},
            ],
            "filter_chains": [chain("http", json!({
                "transport_protocol": "raw_buffer", "application_protocols": ["http/1.1", "h2c"],
            }))],
            "default_filter_chain": rest,
        }],
    }})
}

/// Which of two listeners gets a connection.
async fn who_gets(http: &TcpListener, rest: &TcpListener) -> (&'static str, TcpStream) {
    tokio::select! {
        accepted = http.accept() => ("http", accepted.unwrap().0),
        accepted = rest.accept() => ("rest", accepted.unwrap().0),
    }
}

#[test]
fn dubbo_takes_the_chain_for_http_and_the_rest_goes_as_before() {
    isolated(async || {
        let http = TcpListener::bind("127.0.0.1:8001").await.unwrap();
        let rest = TcpListener::bind("127.0.0.1:8002").await.unwrap();
        let _envoy = envoy(&listener("0s")).start().await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let cases: [(&[&[u8]], &str); 8] = [
            (&[b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x07\0\0\0\x01N"], "http"),
            (&[b"\xda", b"\xbb\xc2\0"], "http"),
            (&[b"\xda\xba\xc2\0"], "rest"),
            (&[b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"], "http"),
            (&[preface], "http"),
            (&[b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"], "rest"),
            (&[b"ls\r\n"], "rest"),
            (&[b"\0"], "rest"),
        ];
        for (parts, expected) in cases {
            let mut client = TcpStream::connect("127.0.0.1:20880").await.unwrap();
            client.set_nodelay(true).unwrap();
            for (n, part) in parts.iter().enumerate() {
                if n > 0 {
                    // So that Envoy gets one after the other.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                client.write_all(part).await.unwrap();
            }
            let (chain, mut server) = tokio::time::timeout(super::SOON, who_gets(&http, &rest))
                .await
                .unwrap();
            assert_eq!(chain, expected, "{parts:x?}");
            let whole = parts.concat();
            let mut seen = vec![0; whole.len()];
            server.read_exact(&mut seen).await.unwrap();
            assert_eq!(seen, whole);
        }
    });
}

/// A server that speaks first gets its connection when the listener says so, and not later.
#[test]
fn a_silent_client_waits_no_longer_than_the_listener_lets_it() {
    isolated(async || {
        let http = TcpListener::bind("127.0.0.1:8001").await.unwrap();
        let rest = TcpListener::bind("127.0.0.1:8002").await.unwrap();
        let _envoy = envoy(&listener("2s")).start().await;
        let began = Instant::now();
        let mut silent = TcpStream::connect("127.0.0.1:20880").await.unwrap();
        let (chain, mut server) = tokio::time::timeout(super::SOON, who_gets(&http, &rest))
            .await
            .unwrap();
        assert_eq!(chain, "rest");
        assert!(
            began.elapsed() >= Duration::from_millis(1500),
            "{:?}",
            began.elapsed()
        );
        server.write_all(b"220 ready\r\n").await.unwrap();
        let mut greeting = [0; 11];
        silent.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220 ready\r\n");
    });
}

/// All of it, as in a sidecar: sniffed into the chain for HTTP, translated there, routed, and what is
/// not Dubbo proxied as before.
#[test]
fn sniffed_dubbo_is_routed_and_telnet_is_not_touched() {
    isolated(async || {
        let provider = WireProvider::start(20881, echo("v1")).await;
        let telnet = TcpListener::bind("127.0.0.1:8002").await.unwrap();
        let mut bootstrap = caller(Way::Bridge);
        let like_istiod = listener("0s");
        let filters =
            bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"].take();
        let mut both = like_istiod["static_resources"]["listeners"][0].clone();
        both["filter_chains"][0]["filters"] = filters;
        bootstrap["static_resources"]["listeners"] = json!([both]);
        let rest = like_istiod["static_resources"]["clusters"][1].clone();
        bootstrap["static_resources"]["clusters"]
            .as_array_mut()
            .unwrap()
            .push(rest);
        let envoy = envoy(&bootstrap).start().await;
        let consumer = WireConsumer::connect(20880).await;
        let answer = consumer
            .call(&Call::new(super::GREETER, "greet", "Ann"))
            .await;
        assert_eq!(answer, super::answered("Ann from v1"));
        let mut person = TcpStream::connect("127.0.0.1:20880").await.unwrap();
        person.write_all(b"ls\r\n").await.unwrap();
        let (mut server, _) = telnet.accept().await.unwrap();
        let mut seen = [0; 4];
        server.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"ls\r\n");
        assert_eq!(provider.seen().len(), 1);
        super::metric(&envoy, "dubbo.connections.dubbo", 1).await;
        super::metric(&envoy, "dubbo.connections.other", 0).await;
    });
}
