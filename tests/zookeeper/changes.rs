//! What happens while the registry is followed.

use std::time::Duration;

use support::{ZooKeeper, ZooKeeperVersion, create, isolated};
use zookeeper_client::{Acls, CreateMode};

use super::estate::{Estate, url};
use super::reader::Reader;

const ORDERS: &str = "com.acme.Orders";
const STOCK: &str = "com.acme.Stock";

/// No event for so long means that none comes.
const QUIET: Duration = Duration::from_millis(300);

async fn two_services(zookeeper: &ZooKeeper) -> (Estate, Reader) {
    let estate = Estate::new(zookeeper.client().await, "/dubbo");
    for (interface, host) in [
        (ORDERS, "10.0.0.1"),
        (ORDERS, "10.0.0.2"),
        (STOCK, "10.0.0.1"),
    ] {
        estate.add(interface, &url(interface, host, 100, 1)).await;
    }
    // Without an audit as long as a test may take: what is told is told by the watch, and at once.
    let registry = format!("{}?audit-interval=1h", zookeeper.registry());
    let mut reader = Reader::live(&registry).await;
    assert_eq!(reader.tree(), estate.read().await);
    reader.said.clear();
    (estate, reader)
}

#[test]
fn a_change_is_told_at_once_and_alone() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let (estate, mut reader) = two_services(&zookeeper).await;
        estate.add(STOCK, &url(STOCK, "10.0.0.3", 100, 1)).await;
        reader.until_tree(&estate.read().await).await;
        assert_eq!(reader.said, ["com.acme.Stock 2+0"]);

        estate.remove(STOCK, &url(STOCK, "10.0.0.3", 100, 1)).await;
        reader.until_tree(&estate.read().await).await;
        assert_eq!(reader.said, ["com.acme.Stock 2+0", "com.acme.Stock 1+0"]);

        // What does not concern us is not told.
        for path in [
            "com.acme.Stock/consumers/a",
            "config/b",
            "metadata/c",
            "mapping/d",
        ] {
            let path = format!("/dubbo/{path}");
            create(&estate.client, &path, "", CreateMode::Persistent).await;
        }
        let path = estate.path(STOCK, &url(STOCK, "10.0.0.1", 100, 1));
        estate.client.set_data(&path, b"other", None).await.unwrap();
        reader.settle(QUIET).await;
        assert_eq!(reader.said.len(), 2, "{:?}", reader.said);
    });
}

#[test]
fn a_new_interface_is_seen_at_once() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_6).await;
        let (estate, mut reader) = two_services(&zookeeper).await;
        estate
            .add("com.acme.New", &url("com.acme.New", "10.0.0.3", 100, 1))
            .await;
        reader.until_tree(&estate.read().await).await;
        let others: Vec<_> = reader
            .said
            .iter()
            .filter(|s| !s.starts_with("com.acme.New "))
            .collect();
        assert!(others.is_empty(), "{others:?}");
    });
}

/// Dubbo writes a new weight as delete and create. Whoever believes the first event waits for the
/// second, so both must come, and nothing else.
#[test]
fn a_weight_change_is_two_events_at_most() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_8).await;
        let (estate, mut reader) = two_services(&zookeeper).await;
        estate
            .remove(ORDERS, &url(ORDERS, "10.0.0.1", 100, 1))
            .await;
        estate.add(ORDERS, &url(ORDERS, "10.0.0.1", 7, 1)).await;
        reader.until_tree(&estate.read().await).await;
        reader.settle(QUIET).await;
        assert!(reader.said.len() <= 2, "{:?}", reader.said);
        assert_eq!(reader.said.last().unwrap(), "com.acme.Orders 2+0");
    });
}

/// A reader that is busy gets one event for any number of changes of one list.
#[test]
fn changes_are_folded_while_the_reader_is_busy() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let (estate, mut reader) = two_services(&zookeeper).await;
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let path = |round| estate.path(STOCK, &url(STOCK, "10.0.1.1", 100, round));
        let paths: Vec<String> = (0..3000).map(path).collect();
        let writes: Vec<_> = paths
            .iter()
            .map(|path| estate.client.create(path, b"", &options))
            .collect();
        for write in writes {
            write.await.unwrap();
        }
        // The reader has taken nothing so far: what it finds is what fits between the two.
        reader.until_tree(&estate.read().await).await;
        assert!(reader.said.len() <= 300, "{} events", reader.said.len());
    });
}

#[test]
fn an_interface_that_is_deleted_is_empty() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let (estate, mut reader) = two_services(&zookeeper).await;
        estate.remove_interface(STOCK).await;
        reader.until_tree(&estate.read().await).await;
        reader.settle(QUIET).await;
        assert!(
            reader
                .said
                .iter()
                .all(|said| said.starts_with("com.acme.Stock "))
        );

        estate.add(STOCK, &url(STOCK, "10.0.0.9", 100, 5)).await;
        reader.until_tree(&estate.read().await).await;
    });
}
