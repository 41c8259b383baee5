//! One file for all Envoys that are meant, and what a module may never do: take Envoy with it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use support::{
    Call, CallAnswer, Deed, Methods, WireConsumer, WireProvider, isolated, shipped, wait_until,
    work_dir,
};

use tokio::net::TcpListener;

use super::{GREETER, WAYS, Way, answered, caller, cluster, echo, envoy, metric, set};

/// Envoy says so if it takes a module for an old one, or for one of another version.
#[test]
fn the_same_file_loads_in_each_envoy_without_a_warning() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("provider")).await;
        for (version, interface) in [("envoy", "v0.2.0"), ("envoy-1.39", "v0.1.0")] {
            let envoy = envoy(&shipped("observe")).version(version).start().await;
            let consumer = WireConsumer::connect(20880).await;
            let answer = consumer.call(&Call::new(GREETER, "greet", "Ann")).await;
            let expected = CallAnswer {
                status: 20,
                text: "Ann from provider".to_owned(),
            };
            assert_eq!(answer, Ok(expected), "{version}");
            metric(&envoy, "dubbo.requests.two_way", 1).await;
            let log = envoy.process().log();
            assert!(
                log.contains(&format!("loaded, interface {interface}")),
                "{version}: {log}"
            );
            let warnings: Vec<_> = log
                .lines()
                .filter(|line| line.contains("dynamic") && line.contains("warning"))
                .collect();
            assert_eq!(warnings, [""; 0], "{version}");
            envoy.stop().await;
            for way in WAYS {
                let envoy = super::envoy(&caller(way)).version(version).start().await;
                let consumer = WireConsumer::connect(20880).await;
                for _ in 0..10 {
                    let answer = consumer.call(&Call::new(GREETER, "greet", "Ann")).await;
                    assert_eq!(answer, answered("Ann from provider"), "{version} {way:?}");
                }
                metric(&envoy, "dubbo.requests.two_way", 10).await;
                envoy.stop().await;
            }
        }
    });
}

#[test]
fn a_name_that_there_is_not_is_refused() {
    isolated(async || {
        let mut wrong = shipped("observe");
        set(
            &mut wrong,
            "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/filter_name",
            json!("dubbo"),
        );
        let mut process = envoy(&wrong).launch();
        let status = process.wait(super::SOON).await;
        assert!(!status.success());
        let log = process.log();
        assert!(
            log.contains("configuration refused: no network filter \"dubbo\""),
            "{log}"
        );
    });
}

/// `DUBBO_MESH_PANIC_ON` is known to debug builds only.
#[test]
fn a_panic_costs_one_connection() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("provider")).await;
        let envoy = envoy(&shipped("observe"))
            .environment("DUBBO_MESH_PANIC_ON", "explode")
            .start()
            .await;
        let other = WireConsumer::connect(20880).await;
        let call = Call::new(GREETER, "greet", "Ann");
        let answer = CallAnswer {
            status: 20,
            text: "Ann from provider".to_owned(),
        };
        assert_eq!(other.call(&call).await.as_ref(), Ok(&answer));
        let unlucky = WireConsumer::connect(20880).await;
        assert_eq!(unlucky.call(&call).await.as_ref(), Ok(&answer));
        let panic = unlucky.call(&Call::new(GREETER, "explode", "Ann")).await;
        assert_eq!(panic, Err("the connection was closed".to_owned()));
        assert_eq!(other.call(&call).await.as_ref(), Ok(&answer));
        metric(&envoy, "dubbo.panics", 1).await;
        let log = envoy.process().log();
        assert!(
            log.contains("guard.rs") && log.contains("as DUBBO_MESH_PANIC_ON asks for"),
            "{log}"
        );
        drop((other, unlucky));
        metric(&envoy, "dubbo.connections.active", 0).await;
    });
}

/// In each part of the way of a call: in the network filter by what the caller sends, in the bridge and
/// in the transport socket by what the provider answers.
#[test]
fn a_panic_under_way_costs_one_call_or_connection() {
    isolated(async || {
        let methods: Methods = Arc::new(|_, argument| Deed::Return(argument.replace(' ', "")));
        let _provider = WireProvider::start(20881, methods).await;
        for way in WAYS {
            let envoy = envoy(&caller(way))
                .environment("DUBBO_MESH_PANIC_ON", "explode")
                .start()
                .await;
            let other = WireConsumer::connect(20880).await;
            let unlucky = WireConsumer::connect(20880).await;
            let fine = Call::new(GREETER, "greet", "Ann");
            let answer = other
                .call(&Call::new(GREETER, "greet", "ex plode"))
                .await
                .unwrap();
            assert!(answer.status >= 50, "{way:?}: {answer:?}");
            metric(&envoy, "dubbo.panics", 1).await;
            assert_eq!(other.call(&fine).await, answered("Ann"), "{way:?}");
            let panic = unlucky.call(&Call::new(GREETER, "explode", "Ann")).await;
            assert_eq!(
                panic,
                Err("the connection was closed".to_owned()),
                "{way:?}"
            );
            assert_eq!(other.call(&fine).await, answered("Ann"), "{way:?}");
            metric(&envoy, "dubbo.panics", 2).await;
            drop((other, unlucky));
            for gauge in [
                "dubbo.connections.active",
                "dubbo.requests.active",
                "dubbo.buffered_bytes",
            ] {
                metric(&envoy, gauge, 0).await;
            }
            envoy.stop().await;
        }
    });
}

/// What the options do not know is refused, and Envoy says so at its start.
#[test]
fn an_option_that_there_is_not_is_refused() {
    isolated(async || {
        let mut wrong = caller(Way::Bridge);
        let options = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/filter_config/value";
        set(&mut wrong, options, json!({"attachmets": []}));
        let mut process = envoy(&wrong).launch();
        assert!(!process.wait(super::SOON).await.success());
        let log = process.log();
        assert!(
            log.contains("`attachmets`") && log.contains("attachments"),
            "{log}"
        );
    });
}

/// Envoy may close a module with the last configuration that names it, while our thread of timers still
/// waits; and the next configuration finds everything as it was.
#[test]
fn the_last_configuration_goes_and_comes_back() {
    isolated(async || {
        // It takes connections and never says a word.
        let silent = TcpListener::bind("127.0.0.1:20881").await.unwrap();
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok(accepted) = silent.accept().await {
                held.push(accepted);
            }
        });
        let mut listener = caller(Way::Bridge)["static_resources"]["listeners"][0].take();
        listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        // Of HTTP/2, so that no cluster keeps the module.
        let mut clusters = [
            cluster(Way::Socket, "v1", &[20881]),
            cluster(Way::Socket, "v2", &[20882]),
        ];
        for cluster in &mut clusters {
            cluster
                .as_object_mut()
                .unwrap()
                .remove("transport_socket")
                .unwrap();
        }
        let file = work_dir().join("listeners.json");
        let publish = |version: &str, listeners: &[Value]| {
            let resources = json!({"version_info": version, "resources": listeners});
            let new = file.with_extension("new");
            fs::write(&new, resources.to_string()).unwrap();
            fs::rename(&new, &file).unwrap();
        };
        publish("1", std::slice::from_ref(&listener));
        let mut envoy = envoy(&json!({
            "node": {"id": "it", "cluster": "it"},
            "static_resources": {"clusters": clusters},
            "dynamic_resources": {"lds_config": {"path_config_source": {"path": file}}},
        }))
        .drain_seconds(1)
        .start()
        .await;
        envoy.wait_until_ready().await;
        let call = Call::new(GREETER, "greet", "Ann")
            .with("remote.application", "shop")
            .with("timeout", "2500");
        for round in ["2", "4"] {
            let consumer = WireConsumer::connect(20880).await;
            consumer.send(&call.frame(1)).await.unwrap();
            metric(&envoy, "dubbo.requests.active", 1).await;
            publish(round, &[]);
            while consumer.other().await.is_some() {}
            // Its deadline comes when the module is closed already.
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(envoy.page("/listeners").await.unwrap(), "");
            publish(
                &format!("{round}, and one more"),
                std::slice::from_ref(&listener),
            );
            wait_until("the listener", super::SOON, async || {
                let listeners = envoy.page("/listeners").await?;
                if listeners.is_empty() {
                    Err(listeners)
                } else {
                    Ok(())
                }
            })
            .await;
        }
        let consumer = WireConsumer::connect(20880).await;
        let late = consumer.call(&call.with("timeout", "500")).await.unwrap();
        assert_eq!(late.status, 31, "{late:?}");
        metric(&envoy, "dubbo.connections.active", 1).await;
        metric(&envoy, "dubbo.requests.active", 0).await;
    });
}
