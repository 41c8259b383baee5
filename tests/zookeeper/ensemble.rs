//! Three servers, of which one lags or leaves.

use std::time::Duration;

use support::{ZooKeeper, ZooKeeperSettings, ZooKeeperVersion, isolated_for};

use super::estate::{Estate, url};
use super::reader::Reader;

const ORDERS: &str = "com.acme.Orders";
const LONG: Duration = Duration::from_secs(300);

#[test]
fn a_leader_that_goes_takes_nothing_with_it() {
    isolated_for(LONG, async || {
        let mut ensemble = ZooKeeperSettings::new(ZooKeeperVersion::V3_9)
            .ensemble()
            .await;
        let registry = format!("zookeeper://{}/dubbo", ensemble.connect_string());
        let estate = Estate::new(ensemble.client().await, "/dubbo");
        estate.add(ORDERS, &url(ORDERS, "10.0.0.1", 100, 1)).await;
        let mut reader = Reader::live(&registry).await;
        for round in 2..5 {
            let leader = ensemble.leader().await;
            ensemble.members[leader].kill();
            // Whoever is left elects, and the writer's session goes on there or is a new one.
            ensemble.leader().await;
            let estate = Estate::new(ensemble.client().await, "/dubbo");
            let host = format!("10.0.0.{round}");
            let path = estate.path(ORDERS, &url(ORDERS, &host, 100, round));
            super::estate::create_only(&estate.client, &path, b"", open()).await;
            let there = format!("dubbo://{host}:20880 weight 100 at {round}");
            reader
                .until(&there, |r| match r.tree().get(ORDERS) {
                    Some(orders) if orders.contains(&there) => Ok(()),
                    orders => Err(format!("{orders:?}")),
                })
                .await;
            ensemble.members[leader].start_again().await;
            reader.until_live().await;
        }
    });
}

/// A follower that is frozen while the others go on, and then asked first. With local sessions it
/// can grant one without a word to its leader.
#[test]
fn a_follower_that_lags_catches_up_before_it_is_read() {
    isolated_for(LONG, async || {
        let settings = ZooKeeperSettings::new(ZooKeeperVersion::V3_8);
        let ensemble = settings
            .tick(Duration::from_secs(1))
            .config("localSessionsEnabled=true")
            .config("localSessionsUpgradingEnabled=true")
            .ensemble()
            .await;
        let leader = ensemble.leader().await;
        let lagging = &ensemble.members[(leader + 1) % 3];
        let estate = Estate::new(ensemble.members[leader].client().await, "/dubbo");
        estate.add(ORDERS, &url(ORDERS, "10.0.0.1", 100, 0)).await;
        let mut following = Reader::live(&lagging.registry()).await;
        for round in 1..8 {
            lagging.pause();
            for n in 0..200 {
                let host = format!("10.{round}.0.{n}");
                estate.add(ORDERS, &url(ORDERS, &host, 100, round)).await;
            }
            let expected = estate.read().await;
            lagging.resume();
            // One that comes now: whatever it is told first is all of it.
            let fresh = Reader::live(&lagging.registry()).await;
            assert_eq!(fresh.tree(), expected);
            following.until_tree(&expected).await;
        }
    });
}

/// Providers that come and go while servers are stopped and started in turn.
#[test]
fn servers_that_restart_in_turn_lose_nothing() {
    isolated_for(LONG, async || {
        let mut ensemble = ZooKeeperSettings::new(ZooKeeperVersion::V3_9)
            .ensemble()
            .await;
        let registry = format!("zookeeper://{}/dubbo", ensemble.connect_string());
        let estate = Estate::new(ensemble.client().await, "/dubbo");
        estate.add(ORDERS, &url(ORDERS, "10.0.0.1", 100, 1)).await;
        let mut reader = Reader::live(&registry).await;
        for round in 0..6 {
            ZooKeeper::stop(&mut ensemble.members[round % 3]).await;
            ensemble.leader().await;
            let writer = Estate::new(ensemble.client().await, "/dubbo");
            let service = format!("com.acme.Service{round}");
            writer.add_interface(&service).await;
            for n in 0..20 {
                let host = format!("10.0.{round}.{n}");
                let path = writer.path(&service, &url(&service, &host, 100, 1));
                super::estate::create_only(&writer.client, &path, b"", open()).await;
                if n == 10 {
                    ensemble.members[round % 3].launch();
                }
            }
            ensemble.members[round % 3].serving().await;
            let seen = |r: &Reader| match r.tree().get(&service).map(|providers| providers.len()) {
                Some(20) => Ok(()),
                n => Err(format!("{n:?} of {service}")),
            };
            reader.until("all twenty", seen).await;
        }
        reader.until_live().await;
        assert!(reader.believed().await >= 120);
    });
}

fn open() -> zookeeper_client::Acls<'static> {
    zookeeper_client::Acls::anyone_all()
}
