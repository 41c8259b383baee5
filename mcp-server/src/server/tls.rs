//! TLS with a certificate that may change while the server runs.
//!
//! Owns: reading the two files and making a configuration of them. Clients present nothing: istiod
//! cannot.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio::time::sleep;

use super::settings::TlsFiles;
use crate::telemetry::Telemetry;

/// The contents of the two files.
#[derive(PartialEq, Eq)]
pub(super) struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Pair {
    pub(super) async fn read(files: &TlsFiles) -> io::Result<Self> {
        Ok(Self {
            certificate: read(&files.certificate).await?,
            key: read(&files.key).await?,
        })
    }

    /// The configuration for new connections; an error names what is wrong with the pair.
    pub(super) fn config(&self) -> io::Result<Arc<ServerConfig>> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|e| invalid("certificate", &e))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|e| invalid("key", &e))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|e| invalid("certificate and key", &e))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Looks at the files for ever. What changed and can be used goes to `current`; what cannot is told
/// once, and the configuration before stays.
pub(super) async fn reload(
    files: TlsFiles,
    mut pair: Pair,
    current: watch::Sender<Arc<ServerConfig>>,
    telemetry: Telemetry,
) {
    let mut trouble = String::new();
    loop {
        sleep(files.poll).await;
        let found = match Pair::read(&files).await {
            Ok(found) if found == pair => {
                trouble.clear();
                continue;
            }
            Ok(found) => found,
            Err(error) => {
                told_once(&telemetry, &mut trouble, &error);
                continue;
            }
        };
        match found.config() {
            Ok(config) => {
                current.send_replace(config);
                telemetry.certificate_reloaded();
            }
            Err(error) => told_once(&telemetry, &mut trouble, &error),
        }
        pair = found;
    }
}

fn told_once(telemetry: &Telemetry, told: &mut String, error: &io::Error) {
    let text = error.to_string();
    if *told != text {
        telemetry.certificate_rejected(&text);
        *told = text;
    }
}

async fn read(path: &Path) -> io::Result<Vec<u8>> {
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    tokio::fs::read(path).await.map_err(named)
}

fn invalid(what: &str, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {error}"))
}
