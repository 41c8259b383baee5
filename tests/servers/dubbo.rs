//! Dubbo for Java: what each version registers, and that the versions understand
//! each other.

use std::time::Duration;

use support::{
    ConsumerSettings, DubboVersion, GATEWAY, Namespace, ProviderSettings, Service, ZooKeeper,
    ZooKeeperVersion, isolated, tree, wait_until,
};
use zookeeper_client::{Client, Error};

/// What each version of Dubbo writes for one service on one port: the directory
/// of its interface with one ephemeral node, the provider's URL.
#[test]
fn each_dubbo_registers_its_provider_and_unregisters_it() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        for version in DubboVersion::ALL {
            let service = Service::new("com.acme.Greeter")
                .set("version", "1.0.0")
                .set("group", "gray");
            let provider = ProviderSettings::new(version, zookeeper.registry())
                .protocol("dubbo", 20880)
                .service(service.set("parameters.region", "north"))
                .start()
                .await;
            let urls = provider_urls(&client, "com.acme.Greeter").await;
            assert_eq!(urls.len(), 1, "{urls:?}");
            assert!(
                urls[0].starts_with("dubbo://127.0.0.1:20880/"),
                "{}",
                urls[0]
            );
            for part in [
                "application=acme",
                "group=gray",
                "interface=com.acme.Greeter",
                "region=north",
                "version=1.0.0",
            ] {
                assert!(
                    urls[0].contains(part),
                    "{version:?} has no {part}: {}",
                    urls[0]
                );
            }
            provider.stop().await;
            assert_eq!(provider_urls(&client, "com.acme.Greeter").await, [""; 0]);
        }
    });
}

#[test]
fn each_dubbo_from_2_7_on_changes_a_weight_while_it_runs() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        for version in DubboVersion::ALL
            .into_iter()
            .filter(|version| *version != DubboVersion::V2_6)
        {
            let root = format!("acme/{}", version.number());
            let provider = ProviderSettings::new(version, zookeeper.registry())
                .set("registry.group", &root)
                .protocol("dubbo", 20880)
                .service(
                    Service::new("com.acme.Greeter")
                        .set("group", "g")
                        .set("version", "2")
                        .set("weight", 7),
                )
                .start()
                .await;
            let directory = format!("/{root}/com.acme.Greeter/providers");
            let weights = async || {
                let urls = urls_of(&client, &directory).await;
                urls.iter()
                    .map(|url| parameter(url, "weight"))
                    .collect::<Vec<_>>()
            };
            assert_eq!(weights().await, [Some("7".to_owned())], "{version:?}");
            provider
                .set_weight(&client, &format!("/{root}"), "g/com.acme.Greeter:2", 50)
                .await;
            wait_until(
                &format!("the new weight of {version:?}"),
                Duration::from_secs(60),
                async || {
                    let seen = weights().await;
                    if seen == [Some("50".to_owned())] {
                        Ok(())
                    } else {
                        Err(format!("{seen:?}"))
                    }
                },
            )
            .await;
            provider.kill();
        }
    });
}

#[test]
fn a_provider_takes_one_interface_back() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_8).await;
        let client = zookeeper.client().await;
        let mut provider = ProviderSettings::new(DubboVersion::V3_3, zookeeper.registry())
            .protocol("dubbo", 20880)
            .protocol("tri", 50051)
            .service(Service::new("com.acme.Greeter"))
            .service(Service::new("com.acme.Unknown"))
            .start()
            .await;
        provider.unexport("com.acme.Greeter").await;
        assert_eq!(provider_urls(&client, "com.acme.Greeter").await, [""; 0]);
        let schemes = provider_urls(&client, "com.acme.Unknown").await;
        let schemes: Vec<_> = schemes
            .iter()
            .map(|url| url.split('/').take(3).collect::<Vec<_>>().join("/"))
            .collect();
        assert_eq!(
            schemes,
            ["dubbo://127.0.0.1:20880", "tri://127.0.0.1:50051"]
        );
    });
}

#[test]
fn each_dubbo_calls_each_other() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let newest = ProviderSettings::new(DubboVersion::V3_3, zookeeper.registry())
            .named("newest")
            .protocol("dubbo", 20880)
            .service(Service::new("com.acme.Greeter").set("version", "new"))
            .service(Service::new("com.acme.Orders"))
            .start()
            .await;
        let oldest = ProviderSettings::new(DubboVersion::V2_6, zookeeper.registry())
            .named("oldest")
            .protocol("dubbo", 20881)
            .service(Service::new("com.acme.Greeter").set("version", "old"))
            .start()
            .await;
        for version in DubboVersion::ALL {
            for (provider, wanted) in [("newest", "new"), ("oldest", "old")] {
                let mut consumer =
                    ConsumerSettings::new(version, zookeeper.registry(), "com.acme.Greeter")
                        .set("reference.version", wanted)
                        .start()
                        .await;
                assert_eq!(
                    consumer.call("greet World").await,
                    format!("RESULT hello World from {provider}")
                );
                assert_eq!(
                    consumer.call("fail nothing").await,
                    "THROWN com.acme.Rejected: nothing"
                );
                let seen = consumer.call("attachments - colour=blue").await;
                assert!(
                    seen.contains("colour=blue"),
                    "{version:?} to {provider}: {seen}"
                );
            }
        }
        let registry = zookeeper.registry();
        let mut consumer = ConsumerSettings::new(DubboVersion::V3_2, registry, "com.acme.Orders")
            .start()
            .await;
        assert_eq!(
            consumer.call("place Ann").await,
            "RESULT order 1 of Ann: [tea]"
        );
        drop((newest, oldest));
    });
}

#[test]
fn a_provider_in_a_namespace_registers_its_address() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let pod = Namespace::new("pod", 2);
        let settings =
            ProviderSettings::new(DubboVersion::V3_3, format!("zookeeper://{GATEWAY}:2181"));
        let service = Service::new("com.acme.Greeter");
        let _provider = settings
            .inside(&pod)
            .protocol("dubbo", 20880)
            .service(service)
            .start()
            .await;
        let urls = provider_urls(&client, "com.acme.Greeter").await;
        assert!(urls[0].starts_with("dubbo://10.77.0.2:20880/"), "{urls:?}");
    });
}

/// Two protocols behind one number: `tri` stands in the URL and not in a node.
#[test]
fn dubbo_3_serves_two_protocols_on_one_port() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let _provider = ProviderSettings::new(DubboVersion::V3_3, zookeeper.registry())
            .protocol("dubbo", 20880)
            .set("protocol.0.extProtocol", "tri")
            .service(Service::new("com.acme.Greeter"))
            .start()
            .await;
        let urls = provider_urls(&client, "com.acme.Greeter").await;
        assert_eq!(urls.len(), 1, "{urls:?}");
        assert!(
            urls[0].starts_with("dubbo://127.0.0.1:20880/"),
            "{}",
            urls[0]
        );
        assert_eq!(parameter(&urls[0], "ext.protocol").as_deref(), Some("tri"));
    });
}

/// `simplified` drops free parameters, among others.
#[test]
fn dubbo_writes_short_urls_when_it_is_told_to() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let service = Service::new("com.acme.Greeter").set("parameters.region", "north");
        let provider = ProviderSettings::new(DubboVersion::V3_2, zookeeper.registry())
            .protocol("dubbo", 20880)
            .service(service);
        let whole = provider.clone().start().await;
        let urls = provider_urls(&client, "com.acme.Greeter").await;
        assert_eq!(parameter(&urls[0], "region").as_deref(), Some("north"));
        whole.stop().await;
        let _simplified = provider.set("registry.simplified", true).start().await;
        let urls = provider_urls(&client, "com.acme.Greeter").await;
        assert_eq!(parameter(&urls[0], "region"), None);
        assert_eq!(parameter(&urls[0], "application").as_deref(), Some("acme"));
    });
}

/// With a user name, the nodes are only for who has the password.
#[test]
fn dubbo_hides_its_nodes_behind_a_password() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let _provider = ProviderSettings::new(DubboVersion::V3_3, zookeeper.registry())
            .set("registry.username", "ann")
            .set("registry.password", "secret")
            .protocol("dubbo", 20880)
            .service(Service::new("com.acme.Greeter"))
            .start()
            .await;
        let directory = "/dubbo/com.acme.Greeter/providers";
        let client = zookeeper.client().await;
        assert_eq!(client.list_children(directory).await, Err(Error::NoAuth));
        client.auth("digest", b"ann:secret").await.unwrap();
        assert_eq!(client.list_children(directory).await.unwrap().len(), 1);
    });
}

/// The decoded names of the nodes that providers of `interface` have made, sorted.
async fn provider_urls(client: &Client, interface: &str) -> Vec<String> {
    urls_of(client, &format!("/dubbo/{interface}/providers")).await
}

async fn urls_of(client: &Client, directory: &str) -> Vec<String> {
    let found = tree(client, directory).await;
    found
        .into_iter()
        .map(|(path, node)| {
            assert!(node.ephemeral, "{path}");
            percent_decoded(path.rsplit('/').next().expect("a path"))
        })
        .collect()
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")))
        .map(str::to_owned)
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hex digits"));
        bytes.extend(part[2..].bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}
