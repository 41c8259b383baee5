//! What stands in real registries beside what should.

use support::{ZooKeeper, ZooKeeperSettings, ZooKeeperVersion, create, isolated};
use zookeeper_client::CreateMode;

use super::estate::{Estate, Tree, encode, url};
use super::reader::Reader;

const ORDERS: &str = "com.acme.Orders";

#[test]
fn what_cannot_be_read_is_named_and_everything_else_is_served() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        let good = url(ORDERS, "10.0.0.1", 100, 1);
        estate.add(ORDERS, &good).await;
        let long = format!(
            "dubbo://10.0.0.2:20880/{ORDERS}?methods={}",
            "a,".repeat(40_000)
        );
        for node in [
            "no+url+at+all",
            "dubbo%3A%2F%2F10.0.0.2%3A20880%2Fcom.acme.Orders%3Fapplication%3D%FF%FE",
            "dubbo%3A%2F%2F10.0.0.2%3A20880%2F%zz",
            &encode("dubbo://fe80:0:0:0:fc:ff:fe00:1%4:20880/com.acme.Orders"),
            &encode("dubbo://10.0.0.2/com.acme.Orders"),
            &encode("consumer://10.0.0.2/com.acme.Orders?category=consumers"),
            &encode(&long),
        ] {
            let path = format!("/dubbo/{ORDERS}/providers/{node}");
            create(&estate.client, &path, "", CreateMode::Persistent).await;
        }
        estate.add("a b", &url("a b", "10.0.0.1", 100, 1)).await;
        // Not as Dubbo encodes it: a directory of its own, with a name of its own.
        let path = format!(
            "/dubbo/a%20b/providers/{}",
            encode(&url("a b", "10.0.0.1", 100, 1))
        );
        create(&estate.client, &path, "", CreateMode::Persistent).await;
        create(
            &estate.client,
            "/dubbo/%zz/providers/x",
            "",
            CreateMode::Persistent,
        )
        .await;

        let mut reader = Reader::live(&zookeeper.registry()).await;
        let orders = ["dubbo://10.0.0.1:20880 weight 100 at 1".to_owned()].into();
        let none = |name: &str| (name.to_owned(), Default::default());
        let expected: Tree = [
            (ORDERS.to_owned(), orders),
            none("a b"),
            none("a%20b"),
            none("%zz"),
        ]
        .into();
        assert_eq!(reader.tree(), expected);
        let why = |list: &str| {
            let rejected = reader.lists[list].rejected.iter();
            let mut why: Vec<_> = rejected.map(|r| r.error.to_string()).collect();
            why.sort();
            why
        };
        assert_eq!(
            why(ORDERS),
            [
                "IPv6 address fe80:0:0:0:fc:ff:fe00:1%4 has a scope, which means something on its \
                 own machine only; let the provider register a global address \
                 (DUBBO_IP_TO_REGISTRY)",
                "consumer:// is not a provider",
                "no scheme:// at the beginning",
                "no two hex digits after the % at byte 33",
                "not UTF-8 from decoded byte 51 on",
                "port \"\" is not a number from 1 to 65535",
                "the entry is 160061 bytes long, more than 65536",
            ]
        );
        assert_eq!(
            why("a b"),
            ["interface \"a b\" has white space or control characters"]
        );
        assert_eq!(
            why("a%20b"),
            ["interface=a b stands in the directory of a%20b"]
        );
        assert_eq!(why("%zz"), ["no scheme:// at the beginning"]);

        // They are followed like any other.
        estate
            .client
            .delete(&format!("/dubbo/{ORDERS}/providers/no+url+at+all"), None)
            .await
            .unwrap();
        reader
            .until("one less", |r| match r.lists[ORDERS].rejected.len() {
                6 => Ok(()),
                n => Err(n.to_string()),
            })
            .await;
    });
}

/// What a node holds is nobody's business.
#[test]
fn a_node_with_a_megabyte_of_data_is_a_provider_like_any_other() {
    isolated(async || {
        let settings = ZooKeeperSettings::new(ZooKeeperVersion::V3_9).max_buffer(4 << 20);
        let zookeeper = settings.start().await;
        let estate = Estate::new(zookeeper.client().await, "/dubbo");
        let megabyte = "x".repeat(1 << 20);
        let path = estate.path(ORDERS, &url(ORDERS, "10.0.0.1", 100, 1));
        create(&estate.client, &path, &megabyte, CreateMode::Ephemeral).await;
        let mut reader = Reader::live(&zookeeper.registry()).await;
        let path = estate.path(ORDERS, &url(ORDERS, "10.0.0.2", 100, 1));
        create(&estate.client, &path, &megabyte, CreateMode::Ephemeral).await;
        reader.until_tree(&estate.read().await).await;
    });
}
