//! `dubbo-mesh plan` on registries that real applications wrote.

use std::time::Duration;

use serde_json::{Value, json};
use support::{
    ConsumerSettings, DubboVersion, ProviderSettings, Service, ZooKeeper, ZooKeeperVersion, create,
    dubbo_mesh, isolated, isolated_for, tree,
};
use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Permission};

/// Runs it for port 20880: its exit status, and what it printed.
fn plan(registry: &str) -> (Option<i32>, Value) {
    let words = [
        "plan",
        "--registry",
        registry,
        "--port",
        "20880",
        "--output",
        "json",
    ];
    let output = dubbo_mesh(&words);
    let plan = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), plan)
}

/// The sections of its only port: topic, whether calls change, and who.
fn sections(plan: &Value) -> Vec<(String, bool, Vec<String>)> {
    let [port] = plan["ports"].as_array().unwrap().as_slice() else {
        panic!("{plan}")
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let who = |finding: &Value| {
        ["side", "service", "application", "address", "setting"]
            .iter()
            .filter_map(|key| finding[key].as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let section = |section: &Value| {
        let findings = section["findings"].as_array().unwrap();
        let changes = section["changesCalls"].as_bool().unwrap();
        (
            text(&section["topic"]),
            changes,
            findings.iter().map(who).collect(),
        )
    };
    port["sections"]
        .as_array()
        .unwrap()
        .iter()
        .map(section)
        .collect()
}

fn section(topic: &str, changes: bool, who: &[&str]) -> (String, bool, Vec<String>) {
    let who = who.iter().map(|who| (*who).to_owned()).collect();
    (topic.to_owned(), changes, who)
}

#[test]
fn whose_calls_would_change_is_named() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let registry = zookeeper.registry();
        let client = zookeeper.client().await;
        let _provider = ProviderSettings::new(DubboVersion::V3_3, &registry)
            .protocol("dubbo", 20880)
            .service(
                Service::new("com.acme.Greeter")
                    .set("tag", "gray")
                    .set("parameters.greet.0.callback", true),
            )
            .service(Service::new("com.acme.Orders"))
            .start()
            .await;
        let mut consumers = Vec::new();
        for (version, interface, setting, value) in [
            (
                DubboVersion::V2_6,
                "com.acme.Greeter",
                "cluster",
                "broadcast",
            ),
            (
                DubboVersion::V2_7,
                "com.acme.Greeter",
                "loadbalance",
                "consistenthash",
            ),
            (DubboVersion::V3_1, "com.acme.Orders", "sticky", "true"),
            (DubboVersion::V3_2, "com.acme.Greeter", "onconnect", "up"),
            (DubboVersion::V3_3, "com.acme.Orders", "cluster", "failfast"),
        ] {
            let application = format!("web-{}", version.number().replace('.', "-"));
            let settings = ConsumerSettings::new(version, &registry, interface)
                .set("application.name", application)
                .set("reference.check", false)
                .set(&format!("reference.{setting}"), value);
            consumers.push(settings.start().await);
        }
        let before = tree(&client, "/").await;
        let (status, plan) = plan(&registry);
        assert_eq!(
            sections(&plan),
            [
                section(
                    "picks",
                    true,
                    &[
                        "consumer com.acme.Greeter web-2-6-12 127.0.0.1 cluster=broadcast",
                        "consumer com.acme.Greeter web-2-7-23 127.0.0.1 loadbalance=consistenthash",
                        "consumer com.acme.Orders web-3-1-11 127.0.0.1 sticky=true",
                    ]
                ),
                section(
                    "callbacks",
                    true,
                    &[
                        "provider com.acme.Greeter acme 127.0.0.1:20880 greet.0.callback=true",
                        "consumer com.acme.Greeter web-3-2-16 127.0.0.1 dubbo.stub.event=true",
                        "consumer com.acme.Greeter web-3-2-16 127.0.0.1 onconnect=up",
                    ]
                ),
                section(
                    "keptTags",
                    false,
                    &["provider com.acme.Greeter acme 127.0.0.1:20880 dubbo.tag=gray"]
                ),
                section("unknownWorkloads", false, &["127.0.0.1"]),
            ]
        );
        assert_eq!(
            plan["ports"][0]["counts"],
            json!({"services": 2, "providers": 2, "consumers": 5})
        );
        assert_eq!(plan["notLookedAt"], json!(["kubernetesServices"]));
        assert_eq!((status, &plan["verdict"]), (Some(1), &json!("changed")));
        assert_eq!(tree(&client, "/").await, before);
    });
}

#[test]
fn where_everybody_leaves_the_pick_to_dubbo_nothing_changes() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_8).await;
        let registry = zookeeper.registry();
        let _provider = ProviderSettings::new(DubboVersion::V3_2, &registry)
            .protocol("dubbo", 20880)
            .service(Service::new("com.acme.Greeter").set("weight", 50))
            .start()
            .await;
        let mut consumers = Vec::new();
        for version in DubboVersion::ALL {
            let application = format!("web-{}", version.number().replace('.', "-"));
            let settings = ConsumerSettings::new(version, &registry, "com.acme.Greeter")
                .set("application.name", application)
                .set("reference.check", false);
            consumers.push(settings.start().await);
        }
        let (status, plan) = plan(&registry);
        let unknown = section("unknownWorkloads", false, &["127.0.0.1"]);
        assert_eq!(sections(&plan), [unknown]);
        assert_eq!(plan["ports"][0]["counts"]["consumers"], 5);
        assert_eq!((status, &plan["verdict"]), (Some(0), &json!("unchanged")));
    });
}

/// What `token=true` and an upgrade from 2.7 to 3.2 look like in the registry.
#[test]
fn providers_that_cannot_take_each_others_calls_are_named() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let registry = zookeeper.registry();
        let start = async |version, port| {
            ProviderSettings::new(version, &registry)
                .named(&format!("provider-{port}"))
                .protocol("dubbo", port)
                .service(Service::new("com.acme.Greeter"))
                .service(Service::new("com.acme.Orders").set("token", "true"))
                .service(Service::new("com.acme.Stock").set("parameters.token", "the-same"))
                .start()
                .await
        };
        let _old = start(DubboVersion::V2_7, 20880).await;
        let (_, plan_of_one) = plan(&registry);
        let unknown = section("unknownWorkloads", false, &["127.0.0.1"]);
        assert_eq!(sections(&plan_of_one), [unknown]);
        let _new = start(DubboVersion::V3_2, 20881).await;
        let (status, plan) = plan(&registry);
        let (topic, changes, who) = &sections(&plan)[0];
        assert_eq!(
            (topic.as_str(), *changes, status),
            ("mixedProviders", true, Some(1))
        );
        let reasons = |service: &str| {
            let named = plan["ports"][0]["sections"][0]["findings"]
                .as_array()
                .unwrap()
                .iter();
            let of_service = named.filter(|finding| finding["service"] == service);
            let mut reasons: Vec<_> = of_service.map(|f| f["reason"].as_str().unwrap()).collect();
            reasons.sort_unstable();
            reasons
        };
        let reads = ["reads fastjson2,hessian2", "reads hessian2"];
        assert_eq!(reasons("com.acme.Greeter"), reads, "{who:?}");
        assert_eq!(reasons("com.acme.Stock"), reads);
        let tokens = ["wants token number 1", "wants token number 2"];
        assert_eq!(reasons("com.acme.Orders"), [reads, tokens].concat());
    });
}

/// Why those are named: the consumer is told of a provider that it does not reach, as if somebody
/// else had picked.
#[test]
fn a_call_that_was_made_for_another_provider_is_not_answered() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let _provider = ProviderSettings::new(DubboVersion::V2_7, zookeeper.registry())
            .set("registry.group", "elsewhere")
            .protocol("dubbo", 20880)
            .service(Service::new("com.acme.Greeter").set("parameters.token", "its-own"))
            .start()
            .await;
        for (number, (path, terms, answered)) in [
            ("com.acme.Greeter", "token=its-own", true),
            ("com.acme.Greeter", "token=another", false),
            ("greeter", "interface=com.acme.Greeter&token=its-own", false),
            (
                "com.acme.Greeter",
                "prefer.serialization=fastjson2,hessian2&release=3.2.16&token=its-own",
                false,
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let node = format!("dubbo://127.0.0.1:20880/{path}?application=acme&{terms}")
                .replace(':', "%3A")
                .replace('/', "%2F")
                .replace('?', "%3F")
                .replace('=', "%3D")
                .replace('&', "%26")
                .replace(',', "%2C")
                .replace(' ', "+");
            let directory = format!("/estate-{number}/com.acme.Greeter/providers");
            create(
                &client,
                &format!("{directory}/{node}"),
                "",
                CreateMode::Persistent,
            )
            .await;
            let mut consumer =
                ConsumerSettings::new(DubboVersion::V3_2, zookeeper.registry(), "com.acme.Greeter")
                    .set("registry.group", format!("estate-{number}"))
                    .start()
                    .await;
            let answer = consumer.call("greet World").await;
            assert_eq!(
                answer.starts_with("RESULT"),
                answered,
                "{path} {terms}: {answer}"
            );
        }
    });
}

/// A consumer of Dubbo 3 with a user gives its directory to that user.
#[test]
fn what_may_not_be_read_leaves_the_answer_open() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        provider(&client).await;
        let (status, _) = plan(&zookeeper.registry());
        assert_eq!(status, Some(0));
        let somebody = AuthId::new("digest", "somebody:n8PQ0yUAkgYDjTYjyY0SJ2WZTmU=");
        let theirs = [Acl::new(Permission::ALL, somebody)];
        let options = CreateMode::Persistent.with_acls(Acls::new(&theirs));
        let path = "/dubbo/com.acme.Orders/consumers";
        client.create(path, b"", &options).await.unwrap();
        let (status, plan) = plan(&zookeeper.registry());
        let unread = json!([{
            "what": path,
            "reason": format!("not authorized to read {path}: its ACL needs (other) credentials"),
        }]);
        assert_eq!((status, &plan["unread"]), (Some(2), &unread));
    });
}

#[test]
fn rules_of_the_registry_and_services_of_kubernetes_are_named() {
    isolated(async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        provider(&client).await;
        let rule =
            "configVersion: v3.0\nforce: false\nenabled: true\nkey: acme\ntags:\n- name: gray\n";
        let path = "/dubbo/config/dubbo/acme.tag-router";
        create(&client, path, rule, CreateMode::Persistent).await;
        let services = support::work_dir().join("services.yaml");
        let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: orders, namespace: shop}\n  spec: {clusterIP: None, ports: [{name: dubbo, port: 20880, protocol: TCP}]}\n";
        std::fs::write(&services, text).unwrap();
        let output = dubbo_mesh(&[
            "plan",
            "--registry",
            &zookeeper.registry(),
            "--services",
            services.to_str().unwrap(),
        ]);
        let text = String::from_utf8(output.stdout).unwrap();
        for line in [
            "Port 20880 in http2 mode for callers in all namespaces (tcp today)\n",
            "    - tag rule for acme\n",
            "    - shop/orders: headless, protocol not declared\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("Not looked at"), "{text}");
        assert_eq!(output.status.code(), Some(1));
    });
}

/// 1,001 interfaces with 15,000 consumers, 5,000 of them of one; three say something.
#[test]
fn a_large_registry_is_read_to_the_last_consumer() {
    isolated_for(Duration::from_secs(300), async || {
        let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
        let client = zookeeper.client().await;
        let special = [(0, 4_999), (500, 3), (1_000, 9)];
        for service in 0..1_001 {
            let interface = format!("com.acme.Service{service}");
            let directory = format!("/dubbo/{interface}");
            let node = format!("dubbo%3A%2F%2F10.0.0.1%3A20880%2F{interface}");
            let mut paths = vec![format!("{directory}/providers/{node}")];
            for consumer in 0..if service == 0 { 5_000 } else { 10 } {
                let sticky = special.contains(&(service, consumer));
                let address = format!("10.1.{}.{}", consumer >> 8, consumer & 255);
                paths.push(format!(
                    "{directory}/consumers/consumer%3A%2F%2F{address}%2F{interface}%3Fapplication%3D\
                     web%26category%3Dconsumers%26methods%3Dplace%2Ccancel%2Cfind%26sticky%3D{sticky}"
                ));
            }
            let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
            for list in ["providers", "consumers"] {
                client
                    .mkdir(&format!("{directory}/{list}"), &options)
                    .await
                    .unwrap();
            }
            let creates: Vec<_> = paths
                .iter()
                .map(|p| client.create(p, b"", &options))
                .collect();
            for create in creates {
                create.await.unwrap();
            }
        }
        let (status, plan) = plan(&zookeeper.registry());
        let picks = [
            "consumer com.acme.Service0 web 10.1.19.135 sticky=true",
            "consumer com.acme.Service1000 web 10.1.0.9 sticky=true",
            "consumer com.acme.Service500 web 10.1.0.3 sticky=true",
        ];
        assert_eq!(sections(&plan)[0], section("picks", true, &picks));
        let counts = json!({"services": 1_001, "providers": 1_001, "consumers": 15_000});
        assert_eq!(plan["ports"][0]["counts"], counts);
        assert_eq!(status, Some(1));
    });
}

#[test]
fn a_registry_that_does_not_answer_is_said_to_be_unread() {
    isolated(async || {
        let words = [
            "plan",
            "--registry",
            "zookeeper://127.0.0.1:2181",
            "--timeout",
            "2s",
        ];
        let output = dubbo_mesh(&words);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            error.contains("not read completely within 2s: zookeeper://127.0.0.1:2181/dubbo"),
            "{error}"
        );
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
    });
}

/// One provider, put there by hand.
async fn provider(client: &Client) {
    let node = "dubbo%3A%2F%2F10.0.0.1%3A20880%2Fcom.acme.Orders%3Fapplication%3Dacme";
    let path = format!("/dubbo/com.acme.Orders/providers/{node}");
    create(client, &path, "", CreateMode::Persistent).await;
}
