//! The first reading.

use std::collections::BTreeSet;
use std::time::Duration;

use support::{ZooKeeper, ZooKeeperSettings, ZooKeeperVersion, create, isolated, tree, wait_until};
use zookeeper_client::CreateMode;

use super::estate::{Estate, delete_all, encode, url};
use super::reader::{LIMIT, Reader};

const WATCHABLE: [ZooKeeperVersion; 3] = [
    ZooKeeperVersion::V3_6,
    ZooKeeperVersion::V3_8,
    ZooKeeperVersion::V3_9,
];

#[test]
fn the_first_reading_is_exact_and_told_as_one() {
    isolated(async || {
        for version in WATCHABLE {
            let mut zookeeper = ZooKeeper::start(version).await;
            let estate = Estate::new(zookeeper.client().await, "/estate/a");
            for interface in ["com.acme.Orders", "com.acme.Stock", "com.acme.Outer$Inner"] {
                for host in ["10.0.0.1", "10.0.0.2"] {
                    estate.add(interface, &url(interface, host, 100, 1)).await;
                }
            }
            estate.add_interface("com.acme.Empty").await;
            // What stands beside interfaces, and beside providers.
            for path in [
                "com.acme.OnlyConsumed/consumers/consumer%3A%2F%2F10.0.0.9%2Fcom.acme.OnlyConsumed",
                "com.acme.Orders/configurators/override%3A%2F%2F0.0.0.0%2Fcom.acme.Orders",
                "com.acme.Orders/consumers/consumer%3A%2F%2F10.0.0.9%2Fcom.acme.Orders",
                "config/dubbo/com.acme.Orders.configurators",
                "mapping/com.acme.Orders",
                "metadata/com.acme.Orders/provider/acme",
                "greet-provider/10.0.0.1:20880",
            ] {
                let path = format!("/estate/a/{path}");
                create(&estate.client, &path, "x", CreateMode::Persistent).await;
            }
            let expected = estate.read().await;
            let interfaces = [
                "com.acme.Empty",
                "com.acme.Orders",
                "com.acme.Outer$Inner",
                "com.acme.Stock",
            ];
            assert!(expected.keys().eq(interfaces), "{expected:?}");

            let mut reader = Reader::live(&format!("{}/estate/a", zookeeper.registry())).await;
            assert_eq!(reader.tree(), expected);
            reader.settle(Duration::from_millis(300)).await;
            let begin = reader
                .said
                .iter()
                .position(|said| said == "Restarted")
                .unwrap();
            assert!(
                reader.said[..begin]
                    .iter()
                    .all(|s| s.starts_with("Connecting("))
            );
            let told = [
                "Restarted",
                "com.acme.Empty 0+0",
                "com.acme.Orders 2+0",
                "com.acme.Outer$Inner 2+0",
                "com.acme.Stock 2+0",
                "Synced",
                "Live",
            ];
            let mut lists = reader.said[begin..].to_vec();
            lists[1..told.len() - 2].sort();
            assert_eq!(lists, told);
            zookeeper.stop().await;
        }
    });
}

/// Nothing is written, and nothing is left behind.
#[test]
fn a_reader_leaves_the_registry_as_it_was() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        estate
            .add(
                "com.acme.Orders",
                &url("com.acme.Orders", "10.0.0.1", 100, 1),
            )
            .await;
        let sessions = || {
            let connections = zookeeper.command("cons").unwrap();
            connections.matches("sid=").count()
        };
        let (before, writers) = (tree(&estate.client, "/").await, sessions());
        let reader = Reader::live(&zookeeper.registry()).await;
        assert_eq!(sessions(), writers + 1);
        assert_eq!(tree(&estate.client, "/").await, before);
        drop(reader);
        wait_until("the end of the session", LIMIT, async || {
            let now = sessions();
            if now == writers {
                Ok(())
            } else {
                Err(now.to_string())
            }
        })
        .await;
    });
}

#[test]
fn a_missing_root_is_trouble_until_it_is_there() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let mut reader = Reader::start(&zookeeper.registry());
        reader.until_says("/dubbo does not exist").await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        create(
            &estate.client,
            "/dubbo/config/dubbo",
            "",
            CreateMode::Persistent,
        )
        .await;
        reader
            .until_says("no interface under /dubbo has providers")
            .await;
        assert_eq!(
            reader.said.iter().filter(|said| *said == "Synced").count(),
            0
        );

        estate
            .add(
                "com.acme.Orders",
                &url("com.acme.Orders", "10.0.0.1", 100, 1),
            )
            .await;
        reader.until_live().await;
        reader.until_tree(&estate.read().await).await;
    });
}

#[test]
fn a_missing_root_is_an_empty_registry_where_that_is_allowed() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let mut reader =
            Reader::live(&format!("{}?empty-root=allowed", zookeeper.registry())).await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        estate
            .add(
                "com.acme.Orders",
                &url("com.acme.Orders", "10.0.0.1", 100, 1),
            )
            .await;
        reader.until_tree(&estate.read().await).await;
        estate.remove_interface("com.acme.Orders").await;
        reader
            .until_tree(&[("com.acme.Orders".to_owned(), BTreeSet::new())].into())
            .await;
    });
}

#[test]
fn a_root_that_goes_takes_nothing_with_it() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        let services = ["com.acme.Orders", "com.acme.Stock"];
        for interface in services {
            estate
                .add(interface, &url(interface, "10.0.0.1", 100, 1))
                .await;
        }
        let before = estate.read().await;
        let mut reader = Reader::live(&zookeeper.registry()).await;
        assert_eq!(reader.tree(), before);

        // The removals are told one by one before the root is, and none of them is believed.
        let mut all = estate.client.new_multi_writer();
        for interface in services {
            let node = estate.path(interface, &url(interface, "10.0.0.1", 100, 1));
            let directory = format!("/dubbo/{}", encode(interface));
            for path in [node, format!("{directory}/providers"), directory] {
                all.add_delete(&path, None).unwrap();
            }
        }
        all.add_delete("/dubbo", None).unwrap();
        all.commit().await.unwrap();
        reader.until_says("/dubbo does not exist").await;
        assert_eq!(reader.believed().await, 2);
        assert_eq!(
            reader.said.iter().filter(|said| *said == "Synced").count(),
            1
        );

        estate
            .add(
                "com.acme.Orders",
                &url("com.acme.Orders", "10.0.0.7", 100, 2),
            )
            .await;
        // One provider is back, and the others have some time to follow.
        reader.until_says("/dubbo is there again").await;
        assert_eq!(reader.believed().await, 2);
        reader.until_live().await;
        reader.until_tree(&estate.read().await).await;
        delete_all(&estate.client, "/dubbo").await;
        reader.until_says("/dubbo").await;
    });
}

#[test]
fn an_old_server_is_named_as_such() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_4).await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        estate
            .add(
                "com.acme.Orders",
                &url("com.acme.Orders", "10.0.0.1", 100, 1),
            )
            .await;
        let mut reader = Reader::start(&zookeeper.registry());
        reader
            .until_says("ZooKeeper before 3.6 has no recursive watch")
            .await;
    });
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_reason() {
    isolated(async || {
        let mut reader = Reader::start("zookeeper://127.0.0.1:2181,nowhere.invalid:2182");
        reader
            .until_says("127.0.0.1:2181: Connection refused")
            .await;
        reader
            .until_says("nowhere.invalid:2182: failed to lookup")
            .await;
        let zookeeper = ZooKeeperSettings::new(ZooKeeperVersion::V3_9).start().await;
        reader.until_says("/dubbo does not exist").await;
        drop(zookeeper);
        reader
            .until_says("127.0.0.1:2181: Connection refused")
            .await;
    });
}

/// A root that is one level off has children too, and none of them has providers.
#[test]
fn a_root_that_is_one_level_off_is_not_an_empty_registry() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let estate = Estate::new(zookeeper.client().await, "/estate/dubbo");
        let orders = "com.acme.Orders";
        estate.add(orders, &url(orders, "10.0.0.1", 100, 1)).await;
        for wrong in ["estate", "estate/dubbo/com.acme.Orders"] {
            let mut reader = Reader::start(&format!("{}/{wrong}", zookeeper.registry()));
            let says = format!("no interface under /{wrong} has providers");
            reader.until_says(&says).await;
            assert!(!reader.said.iter().any(|said| said == "Synced"));
        }
    });
}
