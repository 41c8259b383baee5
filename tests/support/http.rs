//! A GET, for readiness and for the debug pages of the servers.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// No page of a server on this machine takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The whole body.
    pub body: String,
}

/// GETs `path` of `address` over a connection of its own.
///
/// # Errors
/// What went wrong, in words for [`wait_until`](crate::wait_until).
pub async fn get(address: SocketAddr, path: &str) -> Result<Answer, String> {
    let exchange = tokio::time::timeout(LIMIT, exchange(address, path)).await;
    exchange
        .map_err(|_| format!("http://{address}{path}: no answer in {LIMIT:?}"))?
        .map_err(|error| format!("http://{address}{path}: {error}"))
}

async fn exchange(address: SocketAddr, path: &str) -> Result<Answer, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Its errors reach the sender too.
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}
