//! The admin endpoint.

use std::net::SocketAddr;
use std::sync::Arc;

use dubbo_mcp_server::admin::Admin;
use dubbo_mcp_server::status::{Status, Unidentified};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::adsc::{Adsc, Profile};
use crate::running::{Running, service, snapshot};
use crate::wire::{PATIENCE, channel};

const V1: &str = "networking.istio.io/v1/ServiceEntry";

async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let talk = async {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(PATIENCE, talk).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

#[tokio::test]
async fn it_tells_life_readiness_metrics_and_clients() {
    let server = Running::with(None).await;
    let listener = Admin::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let status = Status {
        unidentified: vec![Unidentified {
            host: "com.acme.orders.dubbo".to_owned(),
            reason: "because",
            providers: vec!["dubbo://10.0.0.2:20880/com.acme.Orders".to_owned()],
        }],
        ..Status::default()
    };
    let address = listener.local_addr().unwrap();
    let admin = Admin {
        metrics: Arc::clone(&server.metrics),
        telemetry: server.telemetry.clone(),
        published: server.publish.subscribe(),
        status: tokio::sync::watch::channel(Arc::new(status)).1,
        stop: server.stop.subscribe(),
    };
    let admin = tokio::spawn(admin.run(listener));

    assert_eq!(get(address, "/livez").await.0, 200);
    let unidentified: Value = serde_json::from_str(&get(address, "/unidentified").await.1).unwrap();
    let expected = json!([{
        "host": "com.acme.orders.dubbo",
        "reason": "because",
        "providers": ["dubbo://10.0.0.2:20880/com.acme.Orders"],
    }]);
    assert_eq!(unidentified, expected);
    assert_eq!(get(address, "/readyz").await.0, 503);
    assert_eq!(get(address, "/nothing").await.0, 404);
    assert_eq!(
        ask(address, "DELETE /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .0,
        405
    );

    let content = snapshot(vec![service("a", &[1], 0), service("b", &[1], 0)]);
    server.publish(&content);
    assert_eq!(get(address, "/readyz").await.0, 200);
    let mut istiod = Adsc::new(Profile::From1_30);
    istiod.connect(channel(server.address).await).await.unwrap();
    istiod.sync().await;
    server
        .until("acknowledged", |c| c[0].types[V1].acked_version.is_some())
        .await;

    let listing: Value = serde_json::from_str(&get(address, "/clients").await.1).unwrap();
    let set = content.set(dubbo_registry::resource::Kind::ServiceEntry);
    let version = set.version().to_string();
    let published = &listing["published"]["ServiceEntry"];
    assert_eq!(published["version"], version);
    assert_eq!(
        (&published["resources"], &published["bytes"]),
        (&2.into(), &set.encoded_len().into())
    );
    let client = &listing["clients"][0];
    assert_eq!(client["revision"], "canary");
    assert_eq!(client["types"][V1]["acked_version"], version);
    assert_eq!(client["types"][V1]["lag_seconds"], 0.0);
    assert_eq!(client["types"].as_object().unwrap().len(), 17);

    let (status, metrics) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "dubbo_mesh_mcp_streams 1",
        "dubbo_mesh_mcp_pushes_total 4",
        "dubbo_mesh_mcp_push_resources_total 2",
        "dubbo_mesh_mcp_requests_total{said=\"subscribed\"} 17",
        "# EOF",
    ] {
        assert!(
            metrics.lines().any(|l| l == line),
            "{line} is not in {metrics}"
        );
    }
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    assert!(value("process_resident_memory_bytes ") > 1e6);
    assert!(value("process_open_fds ") > 3.0);
    assert!(value("process_start_time_seconds ") > 1.7e9);
    assert!(value("process_cpu_seconds_total ") >= 0.0);

    server.stop.send_replace(true);
    assert_eq!(get(address, "/readyz").await.0, 503);
    admin.abort();
    server.stop().await;
}
