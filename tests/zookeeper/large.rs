//! Many nodes, and nodes that change while they are read.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use support::{ZooKeeper, ZooKeeperSettings, ZooKeeperVersion, isolated_for};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zookeeper_client::{Acls, Client, CreateMode};

use super::estate::{Estate, encode, url};
use super::reader::Reader;

const LONG: Duration = Duration::from_secs(600);

/// 60,000 providers with 30 MB of names, 20,000 of them of one interface.
#[test]
fn a_large_registry_is_read_exactly() {
    isolated_for(LONG, async || {
        let settings = ZooKeeperSettings::new(ZooKeeperVersion::V3_9)
            .tick(Duration::from_secs(2))
            .max_buffer(64 << 20);
        let zookeeper = settings.start().await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        let mut bytes = 0;
        for (service, providers) in [(0, 20_000)].into_iter().chain((1..2001).map(|s| (s, 20))) {
            let interface = format!("com.acme.department{}.Service{service}", service % 37);
            bytes += fill(&estate.client, &interface, providers).await;
        }
        assert!(bytes > 30_000_000, "{bytes}");
        let reader = Reader::live(&zookeeper.registry()).await;
        let expected = estate.read().await;
        let providers: usize = expected.values().map(|providers| providers.len()).sum();
        assert_eq!((expected.len(), providers), (2001, 60_000));
        assert!(reader.tree() == expected, "something differs");
    });
}

/// Writes the providers of one interface, pipelined; the bytes of their names.
async fn fill(client: &Client, interface: &str, providers: u32) -> usize {
    let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
    let directory = format!("/dubbo/{interface}/providers");
    client.mkdir(&directory, &options).await.unwrap();
    let mut bytes = 0;
    for chunk in (0..providers).collect::<Vec<_>>().chunks(2000) {
        let path = |n: &u32| {
            let host = format!("10.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255);
            format!("{directory}/{}", encode(&url(interface, &host, 100, 1)))
        };
        let paths: Vec<String> = chunk.iter().map(path).collect();
        let creates: Vec<_> = paths
            .iter()
            .map(|path| client.create(path, b"", &options))
            .collect();
        for create in creates {
            create.await.unwrap();
        }
        bytes += paths
            .iter()
            .map(|path| path.len() - directory.len() - 1)
            .sum::<usize>();
    }
    bytes
}

/// Readers that begin in the midst of it are exact afterwards, round after round.
#[test]
fn nodes_that_change_while_they_are_listed_are_exact_afterwards() {
    isolated_for(LONG, async || {
        for version in [ZooKeeperVersion::V3_6, ZooKeeperVersion::V3_9] {
            let mut zookeeper = ZooKeeper::start(version).await;
            let estate = Estate::new(zookeeper.client().await, "/dubbo");
            for service in 0..300 {
                fill(&estate.client, &format!("com.acme.Service{service}"), 5).await;
            }
            for round in 0..15 {
                let (go_on, stop) = watch::channel(());
                let writes = Arc::new(AtomicUsize::new(0));
                let writers: Vec<_> = (0..3)
                    .map(|n| writer(&zookeeper, round * 3 + n, stop.clone(), writes.clone()))
                    .collect();
                let registry = zookeeper.registry();
                let mut early = Reader::start(&registry);
                early.settle(Duration::from_millis(30)).await;
                let mut late = Reader::live(&registry).await;
                while writes.load(Relaxed) < 100 {
                    late.next(Duration::from_millis(20)).await;
                }
                drop(go_on);
                for writer in writers {
                    writer.await.unwrap();
                }
                let expected = estate.read().await;
                late.until_tree(&expected).await;
                early.until_live().await;
                early.until_tree(&expected).await;
            }
            zookeeper.stop().await;
        }
    });
}

/// Writes at random until told to stop.
fn writer(
    zookeeper: &ZooKeeper,
    seed: u64,
    stop: watch::Receiver<()>,
    writes: Arc<AtomicUsize>,
) -> JoinHandle<()> {
    let address = zookeeper.address().to_string();
    tokio::spawn(async move {
        let client = Client::connect(&address).await.unwrap();
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let mut random = Random(seed * 2 + 1);
        while stop.has_changed().is_ok() {
            let interface = format!("com.acme.Service{}", random.below(320));
            let directory = format!("/dubbo/{interface}");
            let providers = format!("{directory}/providers");
            let host = format!("10.0.0.{}", random.below(8));
            let node = format!("{providers}/{}", encode(&url(&interface, &host, 100, 1)));
            // What another writer is faster with fails, and that is as good.
            match random.below(10) {
                0 => {
                    for path in client.list_children(&providers).await.unwrap_or_default() {
                        let _ = client.delete(&format!("{providers}/{path}"), None).await;
                    }
                    let _ = client.delete(&providers, None).await;
                    let _ = client.delete(&directory, None).await;
                }
                1..=5 => {
                    let _ = client.create(&directory, b"", &options).await;
                    let _ = client.create(&providers, b"", &options).await;
                    let _ = client.create(&node, b"", &options).await;
                }
                _ => {
                    let _ = client.delete(&node, None).await;
                }
            }
            writes.fetch_add(1, Relaxed);
        }
    })
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
