//! What both sides of these tests share: bodies that tell if bytes were lost, and the wire.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// `len` bytes that no other seed has.
pub fn body(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at * 31 + seed * 17 + at / 251) as u8)
        .collect()
}

/// Reads a body of h2, giving back the window as it goes.
pub async fn read_all(
    mut stream: h2::RecvStream,
) -> Result<(Vec<u8>, Option<http::HeaderMap>), h2::Error> {
    let mut all = vec![];
    while let Some(part) = stream.data().await {
        let part: Bytes = part?;
        stream.flow_control().release_capacity(part.len())?;
        all.extend_from_slice(&part);
    }
    let trailers = stream.trailers().await?;
    Ok((all, trailers))
}

/// Sends a body by h2 as its windows open.
pub async fn send_all(
    stream: &mut h2::SendStream<Bytes>,
    body: Vec<u8>,
    end: bool,
) -> Result<(), h2::Error> {
    let mut rest = Bytes::from(body);
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let ready = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(ready) = ready else { break };
        let part = rest.split_to(ready?.min(rest.len()));
        stream.send_data(part, end && rest.is_empty())?;
    }
    Ok(())
}

/// Our end of a wire: reads in small pieces and sends what the connection has to say.
pub struct Wire {
    io: DuplexStream,
    pub read_at_once: usize,
}

impl Wire {
    pub const fn new(io: DuplexStream, read_at_once: usize) -> Self {
        Self { io, read_at_once }
    }

    /// Sends all of `out` while reading too, so that two full pipes cannot wait for each other;
    /// returns what came, nothing at the end.
    pub async fn turn(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        let mut chunk = vec![0; self.read_at_once];
        loop {
            let (mut reader, mut writer) = tokio::io::split(&mut self.io);
            tokio::select! {
                biased;
                written = writer.write(out), if !out.is_empty() => match written {
                    Ok(len) => drop(out.drain(..len)),
                    Err(_) => out.clear(),
                },
                read = reader.read(&mut chunk) => {
                    chunk.truncate(read.unwrap_or(0));
                    return chunk;
                }
            }
        }
    }
}
