//! Connections, servers and sessions that go.

use std::time::Duration;

use support::{ZooKeeper, ZooKeeperVersion, isolated, isolated_for};
use tokio::task::JoinHandle;
use zookeeper_client::{Acls, CreateMode};

use super::estate::{Estate, create_only, url};
use super::proxy::Proxy;
use super::reader::Reader;

const ORDERS: &str = "com.acme.Orders";
const STOCK: &str = "com.acme.Stock";

async fn estate(zookeeper: &ZooKeeper) -> Estate {
    let estate = Estate::new(zookeeper.client().await, "/dubbo");
    for host in ["10.0.0.1", "10.0.0.2"] {
        estate.add(ORDERS, &url(ORDERS, host, 100, 1)).await;
    }
    estate.add(STOCK, &url(STOCK, "10.0.0.1", 100, 1)).await;
    estate
}

#[test]
fn a_restarted_server_is_read_again_and_nothing_is_lost_meanwhile() {
    isolated(async || {
        for version in [ZooKeeperVersion::V3_6, ZooKeeperVersion::V3_9] {
            let mut zookeeper = ZooKeeper::start(version).await;
            let writer = estate(&zookeeper).await;
            // Persistent, so that they outlive the server.
            let kept = url(STOCK, "10.0.0.8", 100, 1);
            let path = writer.path(STOCK, &kept);
            create_only(&writer.client, &path, b"", open()).await;
            let before = writer.read().await;
            let mut reader = Reader::live(&zookeeper.registry()).await;
            assert_eq!(reader.tree(), before);

            zookeeper.kill();
            reader
                .until_says("127.0.0.1:2181: Connection refused")
                .await;
            assert_eq!(
                (reader.believed().await, reader.tree()),
                (4, before.clone())
            );
            drop(writer);
            zookeeper.start_again().await;
            let writer = Estate::new(zookeeper.client().await, "/dubbo");
            writer.add(ORDERS, &url(ORDERS, "10.0.0.3", 100, 2)).await;
            reader.until_live().await;
            // The sessions of the providers have died with their owner; they go when they expire.
            let after = loop {
                let tree = writer.read().await;
                if tree
                    .values()
                    .map(|providers| providers.len())
                    .sum::<usize>()
                    == 2
                {
                    break tree;
                }
                reader.settle(Duration::from_millis(50)).await;
            };
            reader.until_tree(&after).await;
            zookeeper.stop().await;
        }
    });
}

/// The server is frozen for longer than it grants a session.
#[test]
fn an_expired_session_is_replaced() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let writer = estate(&zookeeper).await;
        let mut reader = Reader::live(&zookeeper.registry()).await;
        let before = writer.read().await;
        zookeeper.pause();
        reader.until_says("").await;
        assert_eq!((reader.believed().await, reader.tree()), (3, before));
        reader.settle(Duration::from_secs(4)).await;
        zookeeper.resume();
        reader.until_live().await;
        let writer = Estate::new(zookeeper.client().await, "/dubbo");
        writer.add(ORDERS, &url(ORDERS, "10.0.0.9", 100, 9)).await;
        reader
            .until("the new provider", |r| {
                let orders = r.tree().remove(ORDERS).unwrap_or_default();
                let there = orders.contains("dubbo://10.0.0.9:20880 weight 100 at 9");
                if there {
                    Ok(())
                } else {
                    Err(format!("{orders:?}"))
                }
            })
            .await;
    });
}

#[test]
fn what_changes_while_the_connection_is_cut_is_seen_after() {
    isolated_for(Duration::from_secs(300), async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_8).await;
        let writer = estate(&zookeeper).await;
        let mut proxy = Proxy::start(zookeeper.address()).await;
        let mut reader = Reader::live(&proxy.registry()).await;
        for round in 0..12 {
            let writing = write(&writer, round);
            reader.settle(Duration::from_millis(20 * round)).await;
            proxy.cut().await;
            reader.until_says("").await;
            writing.await.unwrap();
            proxy.mend().await;
            reader.until_live().await;
            // Some more, over the new connection.
            write(&writer, 100 + round).await.unwrap();
            reader.until_tree(&writer.read().await).await;
        }
    });
}

/// Its transactions count from nothing again, which looks as if the server were behind; only
/// after half a minute of that the new tree is the tree.
#[test]
fn a_registry_that_was_set_up_anew_is_believed_in_the_end() {
    isolated(async || {
        let mut zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let writer = estate(&zookeeper).await;
        for n in 0..50 {
            let host = format!("10.0.1.{n}");
            writer.add(ORDERS, &url(ORDERS, &host, 100, 1)).await;
        }
        let mut reader = Reader::live(&zookeeper.registry()).await;
        zookeeper.stop().await;
        drop(writer);
        reader.until_says("Connection refused").await;
        let mut zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let writer = Estate::new(zookeeper.client().await, "/dubbo");
        let path = writer.path(ORDERS, &url(ORDERS, "10.0.2.1", 100, 2));
        let mut all = writer.client.new_multi_writer();
        for node in [
            "/dubbo",
            "/dubbo/com.acme.Orders",
            "/dubbo/com.acme.Orders/providers",
            &path,
        ] {
            let options = CreateMode::Persistent.with_acls(open());
            all.add_create(node, b"", &options).unwrap();
        }
        all.commit().await.unwrap();
        reader.until_says("behind what was read before").await;
        assert_eq!(reader.believed().await, 53);
        reader.until_live().await;
        reader.until_tree(&writer.read().await).await;
        zookeeper.stop().await;
    });
}

/// One round of what goes on in an estate: a start, a stop, a new weight, a new service.
fn write(estate: &Estate, round: u64) -> JoinHandle<()> {
    let estate = estate.clone();
    tokio::spawn(async move {
        let host = format!("10.1.{}.1", round % 200);
        estate.add(ORDERS, &url(ORDERS, &host, 100, round)).await;
        estate.add(STOCK, &url(STOCK, &host, 100, round)).await;
        estate.remove(STOCK, &url(STOCK, &host, 100, round)).await;
        estate.add(STOCK, &url(STOCK, &host, 50, round)).await;
        let new = format!("com.acme.New{round}");
        estate.add(&new, &url(&new, &host, 100, round)).await;
        estate.remove(ORDERS, &url(ORDERS, &host, 100, round)).await;
    })
}

fn open() -> Acls<'static> {
    Acls::anyone_all()
}
