//! What a registry client can do wrong, and that only it suffers.

use support::{EnvoySettings, IstiodSettings, ZooKeeper, ZooKeeperVersion, create, isolated};
use zookeeper_client::CreateMode;

use super::{SOURCE, admin, becomes, complaints, entries, serve};

#[test]
fn bad_entries_are_refused_by_name_and_everything_else_is_served() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let write = async |interface: &str, node: &str| {
            let path = format!("/dubbo/{interface}/providers/{node}");
            create(&client, &path, "", CreateMode::Persistent).await;
        };
        let good = "dubbo%3A%2F%2F127.0.0.1%3A20880%2Fcom.acme.Good%3Finterface%3Dcom.acme.Good";
        write("com.acme.Good", good).await;
        for node in [
            "no-url-at-all",
            "dubbo%3A%2F%2F%zz",
            "dubbo%3A%2F%2F10.0.0.2%3A20880%2F%FF%FE",
            "dubbo%3A%2F%2F10.0.0.3%3A6379%2Fcom.acme.Good",
            "dubbo%3A%2F%2Ffe80%3A0%3A0%3A0%3Afc%3Aff%3Afe00%3A1%254%3A20880%2Fcom.acme.Good",
            "dubbo%3A%2F%2F10.0.0.4%3A0%2Fcom.acme.Good",
            "thrift%3A%2F%2F10.0.0.5%3A20880%2Fcom.acme.Good",
            "dubbo%3A%2F%2F10.0.0.6%3A20880%2Fcom.acme.Other%3Finterface%3Dcom.acme.Other",
        ] {
            write("com.acme.Good", node).await;
        }
        write("a+b", "dubbo%3A%2F%2F10.0.0.7%3A20880%2Fa+b").await;
        let _mesh = serve(&["--registry", &zookeeper.registry()]).await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let expected = vec![(
            "com.acme.good.dubbo--dubbo".to_owned(),
            vec!["127.0.0.1:20880".to_owned()],
        )];
        becomes("the good one", expected, async || entries(&istiod).await).await;
        assert_eq!(complaints(&istiod), [""; 0]);

        let words = [
            "10.0.0.2",
            "port 6379 belongs to other programs",
            "has a scope",
            "port \"0\"",
            "scheme thrift is not published",
            "interface=com.acme.Other stands in the directory of com.acme.Good",
            "no scheme://",
            "% at byte",
            "white space",
        ];
        becomes("each is named", [""; 0].to_vec(), async || {
            let refused = admin("/refused").await?;
            let list = refused.as_array().ok_or("no list")?;
            let text = |r: &serde_json::Value| {
                format!(
                    "{}: {}",
                    r["provider"].as_str().unwrap_or(""),
                    r["reason"].as_str().unwrap_or("")
                )
            };
            let all = list.iter().map(text).collect::<Vec<_>>().join("\n");
            if list.len() != 9 {
                return Err(all);
            }
            Ok(words
                .iter()
                .copied()
                .filter(|word| !all.contains(word))
                .collect())
        })
        .await;

        // The listener that the bad port would have opened is not there.
        let mut envoy = EnvoySettings::sidecar("app", "shop", istiod.xds_address())
            .start()
            .await;
        envoy.wait_until_ready().await;
        let listeners = envoy.page("/listeners").await.unwrap();
        assert!(!listeners.contains("6379"), "{listeners}");
    });
}

/// Who wipes the registry, or points at the wrong one, takes nothing from the
/// mesh.
#[test]
fn a_root_that_goes_takes_nothing_along() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let interface = "/dubbo/com.acme.A";
        let node = format!("{interface}/providers/dubbo%3A%2F%2F127.0.0.1%3A20880%2Fcom.acme.A");
        create(&client, &node, "", CreateMode::Persistent).await;
        let mut mesh = serve(&["--registry", &zookeeper.registry()]).await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let expected = vec![(
            "com.acme.a.dubbo--dubbo".to_owned(),
            vec!["127.0.0.1:20880".to_owned()],
        )];
        becomes("it is there", expected.clone(), async || {
            entries(&istiod).await
        })
        .await;

        mesh.process().kill();
        for path in [
            node.clone(),
            format!("{interface}/providers"),
            interface.into(),
            "/dubbo".into(),
        ] {
            client.delete(&path, None).await.unwrap();
        }
        let _again = serve(&["--registry", &zookeeper.registry()]).await;
        becomes("it says what is wrong", true, async || {
            let registries = admin("/registries").await?;
            let reason = registries[0]["reason"].as_str().unwrap_or("").to_owned();
            if registries[0]["state"] == "connecting" && reason.contains("/dubbo") {
                Ok(true)
            } else {
                Err(reason)
            }
        })
        .await;
        assert_eq!(entries(&istiod).await, Ok(expected));
    });
}
