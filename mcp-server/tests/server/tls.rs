//! TLS, and a certificate that changes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use dubbo_mcp_server::server::{Server, Settings, TlsFiles};
use dubbo_mcp_server::telemetry::Telemetry;
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Channel;

use crate::running::{Running, service, snapshot, until};
use crate::wire::{Wire, channel, endpoint};

const V1: &str = "networking.istio.io/v1/ServiceEntry";

struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn tls(&self) -> TlsFiles {
        let poll = Duration::from_millis(50);
        TlsFiles {
            poll,
            ..TlsFiles::new(self.0.join("crt"), self.0.join("key"))
        }
    }

    fn write(&self, file: &str, content: &str) {
        std::fs::write(self.0.join(file), content).unwrap();
    }

    /// Writes a new pair; the certificate is what a client may trust from now on.
    fn renew(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["mesh.test".to_owned()]).unwrap();
        self.write("key", &signing_key.serialize_pem());
        self.write("crt", &cert.pem());
        cert.der().clone()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What is left of a test is in the way of nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn handshake(
    address: SocketAddr,
    trusted: CertificateDer<'static>,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("mesh.test").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}

/// A connector for tonic that trusts one certificate.
#[derive(Clone)]
struct Trusting(SocketAddr, CertificateDer<'static>);

impl tonic::codegen::Service<http::Uri> for Trusting {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = tonic::codegen::BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let Self(address, trusted) = self.clone();
        Box::pin(async move { Ok(TokioIo::new(handshake(address, trusted, b"h2").await?)) })
    }
}

async fn tls_channel(address: SocketAddr, trusted: &CertificateDer<'static>) -> Channel {
    let connector = Trusting(address, trusted.clone());
    endpoint(address)
        .connect_with_connector(connector)
        .await
        .unwrap()
}

async fn server(files: &Files) -> Running {
    let settings = Settings {
        tls: Some(files.tls()),
        ..Settings::default()
    };
    Running::start(settings, Some(snapshot(vec![service("a", &[1], 0)]))).await
}

#[tokio::test]
async fn a_changed_certificate_is_used_and_standing_streams_stay() {
    let files = Files::new("renewed");
    let old = files.renew();
    let server = server(&files).await;
    let mut standing = Wire::open(tls_channel(server.address, &old).await)
        .await
        .unwrap();
    standing.ask(V1);
    let first = standing.next().await.unwrap();
    standing.ack(&first);

    let new = files.renew();
    let loaded = r#"dubbo_mesh_certificates_total{result="loaded"}"#;
    until("reloaded", || server.metric(loaded) >= 1.0).await;
    assert!(handshake(server.address, old, b"h2").await.is_err());
    let mut wire = Wire::open(tls_channel(server.address, &new).await)
        .await
        .unwrap();
    wire.ask(V1);
    assert_eq!(wire.next().await.unwrap().resources.len(), 1);

    server.publish(&snapshot(vec![service("b", &[1], 0)]));
    assert_eq!(standing.next().await.unwrap().resources.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_leaves_the_old_certificate() {
    let files = Files::new("broken");
    let good = files.renew();
    let server = server(&files).await;
    let rejected = || server.metric(r#"dubbo_mesh_certificates_total{result="rejected"}"#);
    let other = generate_simple_self_signed(["mesh.test".to_owned()]).unwrap();
    let breaks: [&dyn Fn(); 3] = [
        &|| files.write("crt", "not a certificate"),
        // A certificate without its key.
        &|| files.write("crt", &other.cert.pem()),
        &|| std::fs::remove_file(files.0.join("key")).unwrap(),
    ];
    for (n, broken) in breaks.into_iter().enumerate() {
        broken();
        until("rejected", || rejected() >= (n + 1) as f64).await;
        handshake(server.address, good.clone(), b"h2")
            .await
            .unwrap();
    }
    let new = files.renew();
    until("good again", || {
        server.metric(r#"dubbo_mesh_certificates_total{result="loaded"}"#) >= 1.0
    })
    .await;
    handshake(server.address, new, b"h2").await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn plain_text_and_other_protocols_do_not_come_in() {
    let files = Files::new("plain");
    let trusted = files.renew();
    let server = server(&files).await;
    assert!(
        handshake(server.address, trusted.clone(), b"http/1.1")
            .await
            .is_err()
    );
    let wire = match endpoint(server.address).connect().await {
        Ok(channel) => Wire::open(channel).await,
        Err(error) => Err(tonic::Status::unavailable(error.to_string())),
    };
    assert!(wire.is_err());
    let refused = r#"dubbo_mesh_mcp_refused_connections_total{reason="Tls"}"#;
    until("counted", || server.metric(refused) >= 2.0).await;
    let mut wire = Wire::open(tls_channel(server.address, &trusted).await)
        .await
        .unwrap();
    wire.ask(V1);
    assert_eq!(wire.next().await.unwrap().resources.len(), 1);
    assert!(server.telemetry.clients()[0].tls);
    server.stop().await;
}

#[tokio::test]
async fn a_server_does_not_start_with_files_it_cannot_use() {
    let files = Files::new("missing");
    let bind = async || {
        let settings = Settings {
            tls: Some(files.tls()),
            ..Settings::default()
        };
        let telemetry = Telemetry::new(&mut Default::default());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Server::bind(address, settings, telemetry)
            .await
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let error = bind().await.unwrap_err();
    assert!(error.contains("crt"), "{error}");
    files.renew();
    assert_eq!(bind().await, Ok(()));
    files.write(
        "key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let error = bind().await.unwrap_err();
    assert!(error.contains("key"), "{error}");
}

/// Plain clients of a plain server: the other way round is refused too.
#[tokio::test]
async fn tls_to_a_plain_port_fails() {
    let files = Files::new("reverse");
    let trusted = files.renew();
    let server = Running::with(None).await;
    assert!(handshake(server.address, trusted, b"h2").await.is_err());
    drop(channel(server.address).await);
    server.stop().await;
}
