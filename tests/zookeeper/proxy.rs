//! A TCP proxy whose wire can be cut.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) struct Proxy {
    address: SocketAddr,
    upstream: SocketAddr,
    /// While there is one, connections are taken; its end ends them.
    wire: Option<(watch::Sender<()>, JoinHandle<()>)>,
}

impl Proxy {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 12181));
        let mut proxy = Self {
            address,
            upstream,
            wire: None,
        };
        proxy.mend().await;
        proxy
    }

    /// `zookeeper://` to it.
    pub(crate) fn registry(&self) -> String {
        format!("zookeeper://{}", self.address)
    }

    /// Ends all connections and takes no more.
    pub(crate) async fn cut(&mut self) {
        if let Some((ends, accepting)) = self.wire.take() {
            accepting.abort();
            // The listener is closed when the task is gone.
            let _ = accepting.await;
            drop(ends);
        }
    }

    /// Takes connections again.
    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let (ends, ended) = watch::channel(());
        let upstream = self.upstream;
        let accepting = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut ended = ended.clone();
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(upstream).await {
                        let _ = tokio::select! {
                            copied = copy_bidirectional(&mut client, &mut server) => copied.is_ok(),
                            cut = ended.changed() => cut.is_ok(),
                        };
                    }
                });
            }
        });
        self.wire = Some((ends, accepting));
    }
}
