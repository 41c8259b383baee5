//! ZooKeeper: each version, alone and as an ensemble, with and without TLS.

use std::collections::BTreeMap;
use std::time::Duration;

use support::{
    Authority, Certificate, Node, ZooKeeper, ZooKeeperSettings, ZooKeeperVersion, create, isolated,
    tree, wait_until,
};
use zookeeper_client::{Client, CreateMode, TlsOptions};

#[test]
fn each_zookeeper_keeps_nodes() {
    isolated(async || {
        for version in ZooKeeperVersion::ALL {
            let mut zookeeper = ZooKeeper::start(version).await;
            assert_eq!(zookeeper.mode(), Ok("standalone".to_owned()));
            let (major, minor, patch) = version.numbers();
            let srvr = zookeeper.command("srvr").unwrap();
            assert!(
                srvr.starts_with(&format!("Zookeeper version: {major}.{minor}.{patch}-")),
                "{srvr}"
            );

            let client = zookeeper.client().await;
            create(&client, "/a/b", "one", CreateMode::Persistent).await;
            create(&client, "/a/c", "two", CreateMode::Ephemeral).await;
            assert_eq!(
                tree(&client, "/a").await,
                nodes([("/a/b", "one", false), ("/a/c", "two", true)])
            );
            zookeeper.stop().await;
        }
    });
}

#[test]
fn a_zookeeper_keeps_its_nodes_over_a_restart() {
    isolated(async || {
        let mut zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        create(&client, "/kept", "", CreateMode::Persistent).await;
        create(&client, "/lost", "", CreateMode::Ephemeral).await;
        zookeeper.kill();
        drop(client);
        zookeeper.start_again().await;
        let client = zookeeper.client().await;
        let expected = nodes([("/kept", "", false)]);
        wait_until(
            "the expiry of the old session",
            Duration::from_secs(60),
            async || {
                let seen = tree(&client, "/").await;
                if seen == expected {
                    Ok(())
                } else {
                    Err(format!("{seen:?}"))
                }
            },
        )
        .await;
    });
}

#[test]
fn three_zookeepers_outlive_their_leader() {
    isolated(async || {
        let mut ensemble = ZooKeeperSettings::new(ZooKeeperVersion::V3_9)
            .ensemble()
            .await;
        let first = ensemble.leader().await;
        let client = ensemble.client().await;
        create(&client, "/kept", "", CreateMode::Persistent).await;
        ensemble.members[first].kill();
        let second = ensemble.leader().await;
        assert_ne!(first, second);
        ensemble.members[first].start_again().await;
        assert_eq!(ensemble.members[first].mode(), Ok("follower".to_owned()));
        let client = ensemble.members[first].client().await;
        assert_eq!(tree(&client, "/").await, nodes([("/kept", "", false)]));
    });
}

#[test]
fn a_paused_zookeeper_answers_when_it_is_resumed() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        zookeeper.pause();
        zookeeper.mode().unwrap_err();
        zookeeper.resume();
        assert_eq!(zookeeper.mode(), Ok("standalone".to_owned()));
    });
}

#[test]
fn a_zookeeper_serves_tls_to_its_own_authority() {
    isolated(async || {
        let authority = Authority::new("tests");
        let settings = ZooKeeperSettings::new(ZooKeeperVersion::V3_9).tls(&authority, "need");
        let zookeeper = settings.start().await;
        let mine = authority.issue(&["client"]);
        let foreign = Authority::new("others").issue(&["client"]);
        let options = |identity: &Certificate| {
            let options = TlsOptions::new().with_pem_ca(&authority.pem).unwrap();
            options
                .with_pem_identity(&identity.pem, &identity.key)
                .unwrap()
        };
        let address = zookeeper.tls_address().to_string();
        let connector = || Client::connector().with_fail_eagerly();
        let client = connector()
            .with_tls(options(&mine))
            .secure_connect(&address)
            .await
            .unwrap();
        create(&client, "/secret", "", CreateMode::Persistent).await;
        connector()
            .with_tls(options(&foreign))
            .secure_connect(&address)
            .await
            .unwrap_err();
    });
}

fn nodes<const N: usize>(expected: [(&str, &str, bool); N]) -> BTreeMap<String, Node> {
    let node = |(path, data, ephemeral): (&str, &str, bool)| {
        (
            path.to_owned(),
            Node {
                data: data.to_owned(),
                ephemeral,
            },
        )
    };
    expected.map(node).into()
}
