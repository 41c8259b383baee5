//! A session with a ZooKeeper, and what is wrong where there is none. [IO]
//!
//! A session is used for one reading and what follows it. When its connection breaks it is thrown
//! away: the client library can take it up again, but does not restore recursive watches then, and
//! sends large sets of child watches in a way that breaks the connection anew. We own nothing in
//! ZooKeeper that a session would keep.

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use zookeeper_client::{Client, Error, TlsCa, TlsCerts, TlsIdentity, TlsOptions};

use super::config::{Address, Config, Credentials, Password, Tls};

/// How long a server may take to accept a connection, when we look why there is no session.
const PROBE: Duration = Duration::from_secs(2);

/// Opens a session with one of the servers, trying each once in random order.
///
/// # Errors
/// What to tell people.
pub(super) async fn connect(config: &Config) -> Result<Client, String> {
    let mut connector = Client::connector()
        .with_session_timeout(config.session_timeout)
        .with_fail_eagerly();
    if let Some(credentials) = &config.credentials {
        connector = connector.with_auth("digest", digest(credentials).await?.as_bytes());
    }
    if let Some(tls) = &config.tls {
        connector = connector.with_tls(tls_options(tls).await?);
    }
    let scheme = if config.tls.is_some() {
        "tcp+tls"
    } else {
        "tcp"
    };
    let servers = config.hosts.iter().map(|host| format!("{scheme}://{host}"));
    let cluster = servers.collect::<Vec<_>>().join(",");
    match connector.connect(&cluster).await {
        Ok(client) => Ok(client),
        Err(Error::AuthFailed) => Err("the server refuses the credentials".to_owned()),
        Err(Error::NoHosts | Error::Timeout) => Err(look_why(config).await),
        Err(error) => Err(format!("cannot connect: {error}")),
    }
}

async fn digest(credentials: &Credentials) -> Result<String, String> {
    let password = match &credentials.password {
        Password::Text(password) => password.clone(),
        Password::File(path) => read(path).await?.trim_end().to_owned(),
    };
    Ok(format!("{}:{password}", credentials.user))
}

async fn tls_options(tls: &Tls) -> Result<TlsOptions, String> {
    let bad = |path: &Path, error: Error| format!("{}: {error}", path.display());
    let ca = read(&tls.ca_file).await?;
    let ca = TlsCa::from_pem(&ca).map_err(|error| bad(&tls.ca_file, error))?;
    let mut certs = TlsCerts::builder().with_ca(ca);
    if let Some((cert_file, key_file)) = &tls.identity {
        let (cert, key) = (read(cert_file).await?, read(key_file).await?);
        let identity = TlsIdentity::from_pem(&cert, &key).map_err(|e| bad(cert_file, e))?;
        certs = certs.with_identity(identity);
    }
    let certs = certs.build().map_err(|error| bad(&tls.ca_file, error))?;
    Ok(TlsOptions::new().with_certs(certs))
}

async fn read(path: &Path) -> Result<String, String> {
    let text = tokio::fs::read_to_string(path).await;
    text.map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The client library keeps the reason to itself, so each server is tried again, by hand.
async fn look_why(config: &Config) -> String {
    let probes = config
        .hosts
        .iter()
        .map(|address| probe(address, config.tls.is_some()));
    futures::future::join_all(probes).await.join("; ")
}

async fn probe(address: &Address, tls: bool) -> String {
    let connecting = TcpStream::connect((address.host.as_str(), address.port));
    match timeout(PROBE, connecting).await {
        Err(_) => format!("{address}: no connection within {} s", PROBE.as_secs()),
        Ok(Err(error)) => format!("{address}: {error}"),
        Ok(Ok(_)) if tls => format!(
            "{address}: accepts connections but gives no session over TLS (not a TLS port, another \
             authority or name, a certificate of ours missing, or no quorum)"
        ),
        Ok(Ok(_)) => format!(
            "{address}: accepts connections but gives no session (no quorum, a TLS port, or not a \
             ZooKeeper)"
        ),
    }
}
