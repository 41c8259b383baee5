//! The instant in which Envoy has a route to a cluster that it does not have: calls wait.
//!
//! Routes and clusters are files here, and so come and go one by one.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Call, Envoy, WireConsumer, WireProvider, isolated, shipped, wait_until, work_dir};

use super::authority::{call as call_triple, connect, triple};
use super::{
    GREETER, HTTP_FILTERS, SOON, Way, add_http_filter, answered, cluster, echo, envoy, metric, set,
};

const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config";
const VERSIONS: [&str; 2] = ["envoy", "envoy-1.39"];
/// How long what is waited for takes to come.
const MEANWHILE: Duration = Duration::from_millis(300);

/// What a control plane says, in two files.
struct Files {
    clusters: PathBuf,
    routes: PathBuf,
}

impl Files {
    fn new() -> Self {
        let [clusters, routes] = ["clusters", "routes"].map(|name| work_dir().join(name));
        let files = Self { clusters, routes };
        files.clusters(&[]);
        files
    }

    fn clusters(&self, names: &[(&str, u16)]) {
        let of = |(name, port): &(&str, u16)| {
            let mut cluster = cluster(Way::Bridge, name, &[*port]);
            cluster["@type"] = json!("type.googleapis.com/envoy.config.cluster.v3.Cluster");
            cluster
        };
        publish(&self.clusters, &names.iter().map(of).collect::<Vec<_>>());
    }

    fn routes(&self, routes: &[Value]) {
        publish(
            &self.routes,
            &[json!({
                "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
                "name": "dubbo",
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
            })],
        );
    }

    /// The shipped configuration of a caller, with these.
    fn caller(&self, hold: Value) -> Value {
        let mut bootstrap = shipped("caller");
        bootstrap["node"] = json!({"id": "it", "cluster": "it"});
        set(&mut bootstrap, "/static_resources/clusters", json!([]));
        bootstrap["dynamic_resources"] =
            json!({"cds_config": {"path_config_source": {"path": self.clusters}}});
        let manager = bootstrap.pointer_mut(HCM).unwrap();
        manager.as_object_mut().unwrap().remove("route_config");
        manager["rds"] = json!({
            "route_config_name": "dubbo",
            "config_source": {"path_config_source": {"path": self.routes}},
        });
        let format = "/access_log/0/typed_config/log_format/text_format_source/inline_string";
        let line = manager.pointer_mut(format).unwrap();
        let shipped = line.as_str().unwrap().trim_end().to_owned();
        *line = json!(shipped + " held=%REQ(dubbo-mesh-held)%\n");
        let filter = &mut bootstrap.pointer_mut(HTTP_FILTERS).unwrap()[0];
        assert_eq!(filter["name"], "dubbo_hold");
        filter["typed_config"]["filter_config"] =
            json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": hold});
        bootstrap
    }
}

fn publish(file: &PathBuf, resources: &[Value]) {
    // Another version each time.
    let version = format!("{:?}", Instant::now());
    let new = file.with_extension("new");
    let resources = json!({"version_info": version, "resources": resources});
    fs::write(&new, resources.to_string()).unwrap();
    fs::rename(&new, file).unwrap();
}

/// A route to a cluster, of the kind that waits.
fn to(cluster: &str) -> Value {
    json!({
        "match": {"prefix": "/"},
        "route": {"cluster": cluster, "timeout": "0s"},
        "metadata": {"filter_metadata": {"dubbo": {"hold": true}}},
    })
}

fn call(argument: &str) -> Call {
    Call::new(GREETER, "greet", argument)
}

/// Waits until a statistic of Envoy's own has a value.
async fn until(envoy: &Envoy, name: &str, expected: u64) {
    wait_until(&format!("{name} = {expected}"), SOON, async || {
        let seen = envoy.stat(name).await?;
        if seen == expected {
            Ok(())
        } else {
            Err(seen.to_string())
        }
    })
    .await;
}

const CLUSTERS: &str = "cluster_manager.active_clusters";
const ROUTES: &str = "http.dubbo.rds.dubbo.config_reload";
const REQUESTS: &str = "http.dubbo.downstream_rq_active";

/// An Envoy that has read both files.
async fn started(version: &'static str, bootstrap: &Value) -> Envoy {
    let mut envoy = envoy(bootstrap).version(version).start().await;
    envoy.wait_until_ready().await;
    envoy
}

/// What the access log says of calls that ended, and not of those that began anew.
async fn ends(envoy: &Envoy, count: usize) -> Vec<String> {
    wait_until("lines of the access log", SOON, async || {
        let log = envoy.process().log();
        let calls = log.lines().filter(|line| line.starts_with("call "));
        let ends: Vec<_> = calls
            .filter(|line| !line.contains(" code=0 "))
            .map(str::to_owned)
            .collect();
        if ends.len() >= count {
            Ok(ends)
        } else {
            Err(log)
        }
    })
    .await
}

#[test]
fn a_call_waits_for_a_cluster_that_comes() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("v1")).await;
        // The second does not fit into what Envoy likes to hold of a request.
        let arguments = ["Ann".to_owned(), "x".repeat(3 << 19)];
        for version in VERSIONS {
            let files = Files::new();
            files.routes(&[to("v1")]);
            let envoy = started(version, &files.caller(json!({"hold_ms": 10_000}))).await;
            for argument in &arguments {
                let consumer = WireConsumer::connect(20880).await;
                let (call, began) = (call(argument), Instant::now());
                let (answer, ()) = futures::join!(consumer.call(&call), async {
                    until(&envoy, REQUESTS, 1).await;
                    tokio::time::sleep(MEANWHILE).await;
                    files.clusters(&[("v1", 20881)]);
                });
                let expected = answered(&format!("{argument} from v1"));
                assert_eq!(answer, expected, "{version}");
                assert!(began.elapsed() >= MEANWHILE, "{version}");
                assert_eq!(consumer.call(&call).await, expected, "{version}");
                files.clusters(&[]);
                until(&envoy, CLUSTERS, 0).await;
            }
            metric(&envoy, "dubbo.requests.held", 2).await;
            metric(&envoy, "dubbo.requests.held_in_vain", 0).await;
            metric(&envoy, "dubbo.local_replies", 0).await;
            let ends = ends(&envoy, 4).await;
            let right = |end: &String| end.contains(" cluster=v1 code=200 dubbo=20 ");
            assert!(ends.len() == 4 && ends.iter().all(right), "{ends:#?}");
            assert!(ends.iter().all(|end| end.ends_with(" held=-")), "{ends:#?}");
            envoy.stop().await;
        }
    });
}

/// Its cluster goes before its route does, as istiod has it: a request has to begin anew, since it keeps
/// the routes that it began with.
#[test]
fn a_call_waits_for_another_route() {
    isolated(async || {
        let _provider = WireProvider::start(20882, echo("v2")).await;
        for version in VERSIONS {
            let files = Files::new();
            files.routes(&[to("v2")]);
            files.clusters(&[("v2", 20882)]);
            let envoy = started(version, &files.caller(json!({"hold_ms": 10_000}))).await;
            let consumer = WireConsumer::connect(20880).await;
            for (round, argument) in (1..).zip(["Ann".to_owned(), "x".repeat(200_000)]) {
                files.routes(&[to("v1")]);
                until(&envoy, ROUTES, 2 * round).await;
                let call = call(&argument);
                let (answer, ()) = futures::join!(consumer.call(&call), async {
                    until(&envoy, REQUESTS, 1).await;
                    tokio::time::sleep(MEANWHILE).await;
                    files.routes(&[to("v2")]);
                });
                assert_eq!(
                    answer,
                    answered(&format!("{argument} from v2")),
                    "{version}"
                );
            }
            metric(&envoy, "dubbo.requests.held", 2).await;
            metric(&envoy, "dubbo.requests.held_in_vain", 0).await;
            let ends = ends(&envoy, 2).await;
            let right = |end: &String| end.contains(" cluster=v2 code=200 dubbo=20 ");
            assert!(ends.len() == 2 && ends.iter().all(right), "{ends:#?}");
            assert!(ends.iter().all(|end| end.ends_with(" held=-")), "{ends:#?}");
            envoy.stop().await;
        }
    });
}

/// What is wrong for long is told after the time, and then at once. A filter in front of us that takes
/// its time with each beginning does not make it longer.
#[test]
fn a_call_does_not_wait_for_ever() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("v1")).await;
        let delay = json!({"name": "envoy.filters.http.fault", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "delay": {"fixed_delay": "0.1s", "percentage": {"numerator": 100}},
        }});
        for (version, delayed) in [
            (VERSIONS[0], false),
            (VERSIONS[1], false),
            (VERSIONS[0], true),
        ] {
            let files = Files::new();
            files.routes(&[to("v1")]);
            let mut bootstrap = files.caller(json!({"hold_ms": 400}));
            if delayed {
                add_http_filter(&mut bootstrap, delay.clone());
            }
            let envoy = started(version, &bootstrap).await;
            let consumer = WireConsumer::connect(20880).await;
            let began = Instant::now();
            for round in 0..2 {
                let answer = consumer.call(&call("Ann")).await.unwrap();
                assert_eq!(answer.status, 80, "{version}: {answer:?}");
                assert!(answer.text.contains("HTTP status 503"), "{answer:?}");
                assert!(began.elapsed() >= Duration::from_millis(390), "{round}");
            }
            metric(&envoy, "dubbo.requests.held", 1).await;
            metric(&envoy, "dubbo.requests.held_in_vain", 1).await;
            let ends = ends(&envoy, 2).await;
            let right = |end: &String| end.contains(" code=503 ") && end.contains("NC attempts=0");
            assert!(ends.iter().all(right), "{ends:#?}");
            // It may come later, and is there at once.
            files.clusters(&[("v1", 20881)]);
            until(&envoy, CLUSTERS, 1).await;
            assert_eq!(consumer.call(&call("Ann")).await, answered("Ann from v1"));
            envoy.stop().await;
        }
    });
}

/// Where no cluster is meant to be, where no route says so, and where it is switched off.
#[test]
fn what_has_no_cluster_to_wait_for_does_not_wait() {
    isolated(async || {
        let mut unmarked = to("v1");
        unmarked.as_object_mut().unwrap().remove("metadata");
        let direct = json!({"match": {"prefix": "/"}, "direct_response": {"status": 418}});
        let hour = json!({"hold_ms": 60_000});
        for (routes, hold, code) in [
            (vec![unmarked], &hour, "503"),
            (vec![direct], &hour, "418"),
            (vec![], &hour, "404"),
            (vec![to("v1")], &json!({"hold_ms": 0}), "503"),
        ] {
            let files = Files::new();
            files.routes(&routes);
            let envoy = started(VERSIONS[0], &files.caller(hold.clone())).await;
            let consumer = WireConsumer::connect(20880).await;
            let answer = consumer.call(&call("Ann")).await.unwrap();
            assert!(
                answer.text.contains(&format!("HTTP status {code}")),
                "{answer:?}"
            );
            metric(&envoy, "dubbo.local_replies", 1).await;
            metric(&envoy, "dubbo.requests.held", 0).await;
            envoy.stop().await;
        }
    });
}

/// A caller that no longer waits, one that is gone, and an Envoy that ends.
#[test]
fn a_call_may_end_while_it_waits() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("v1")).await;
        let files = Files::new();
        files.routes(&[to("v1")]);
        let envoy = started(VERSIONS[0], &files.caller(json!({"hold_ms": 60_000}))).await;
        let consumer = WireConsumer::connect(20880).await;
        let hurried = call("Ann")
            .with("remote.application", "shop")
            .with("timeout", "300");
        let late = consumer.call(&hurried).await.unwrap();
        assert_eq!(late.status, 31, "{late:?}");
        let gone = WireConsumer::connect(20880).await;
        gone.send(&call("Ann").frame(1)).await.unwrap();
        until(&envoy, REQUESTS, 1).await;
        drop(gone);
        metric(&envoy, "dubbo.connections.active", 1).await;
        metric(&envoy, "dubbo.requests.active", 0).await;
        files.clusters(&[("v1", 20881)]);
        until(&envoy, CLUSTERS, 1).await;
        assert_eq!(consumer.call(&call("Ann")).await, answered("Ann from v1"));
        files.clusters(&[]);
        until(&envoy, CLUSTERS, 0).await;
        metric(&envoy, "dubbo.requests.held", 2).await;
        consumer.send(&call("Ann").frame(7)).await.unwrap();
        until(&envoy, REQUESTS, 1).await;
        metric(&envoy, "dubbo.requests.held_in_vain", 0).await;
        envoy.stop().await;
    });
}

/// `DUBBO_MESH_PANIC_ON` is known to debug builds only.
#[test]
fn a_panic_while_a_call_waits_costs_its_waiting() {
    isolated(async || {
        let files = Files::new();
        files.routes(&[to("v1")]);
        for text in ["acme.greeter.dubbo", "dubbo_hold looks"] {
            let envoy = envoy(&files.caller(json!({"hold_ms": 60_000})))
                .environment("DUBBO_MESH_PANIC_ON", text);
            let mut envoy = envoy.start().await;
            envoy.wait_until_ready().await;
            let consumer = WireConsumer::connect(20880).await;
            for round in 1..3 {
                let answer = consumer.call(&call("Ann")).await.unwrap();
                assert_eq!(answer.status, 80, "{text}: {answer:?}");
                metric(&envoy, "dubbo.panics", round).await;
            }
            envoy.stop().await;
        }
    });
}

/// Requests of Triple and gRPC wait too; one with trailers does not begin anew, which would lose them.
#[test]
fn what_is_http2_already_waits_too() {
    isolated(async || {
        triple("one", 20883).await;
        let files = Files::new();
        files.routes(&[to("one")]);
        let envoy = started(VERSIONS[0], &files.caller(json!({"hold_ms": 10_000}))).await;
        let sender = connect().await;
        let (answer, ()) = futures::join!(
            call_triple(&sender, "/com.acme.Greeter/greet", &[], "Ann"),
            async {
                until(&envoy, REQUESTS, 1).await;
                tokio::time::sleep(MEANWHILE).await;
                let address =
                    json!({"socket_address": {"address": "127.0.0.1", "port_value": 20883}});
                publish(
                    &files.clusters,
                    &[json!({
                        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
                        "name": "one", "type": "STATIC",
                        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                            "explicit_http_config": {"http2_protocol_options": {}},
                        }},
                        "load_assignment": {"cluster_name": "one", "endpoints": [
                            {"lb_endpoints": [{"endpoint": {"address": address}}]}
                        ]},
                    })],
                );
            }
        );
        assert_eq!(answer, (200, "one 127.0.0.1:20880 Ann 1".to_owned()));
        metric(&envoy, "dubbo.requests.held", 1).await;
        metric(&envoy, "dubbo.requests.held_in_vain", 0).await;
    });
}
