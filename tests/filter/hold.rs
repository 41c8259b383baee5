//! The instant in which Envoy has a route to a cluster that it does not have: calls wait.
//!
//! Routes and clusters are files here, and so come and go one by one.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{
    Call, CallAnswer, Envoy, WireConsumer, WireProvider, isolated, shipped, wait_until, work_dir,
};

use super::{
    GREETER, HTTP_FILTERS, SOON, Way, answered, cluster, echo, ended, envoy, lines, metric, set,
};

const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config";
const VERSIONS: [&str; 2] = ["envoy", "envoy-1.39"];
/// Less than calls wait, and more than whatever does not wait takes.
const MEANWHILE: Duration = Duration::from_millis(300);
const ONE_SECOND: Duration = Duration::from_secs(1);

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

/// How long it took.
async fn timed(consumer: &WireConsumer, call: &Call) -> (Result<CallAnswer, String>, Duration) {
    let began = Instant::now();
    (consumer.call(call).await, began.elapsed())
}

/// Waits until Envoy has so many clusters, in its main thread.
async fn clusters(envoy: &Envoy, count: u64) {
    wait_until("the clusters", SOON, async || {
        let seen = envoy.stat("cluster_manager.active_clusters").await?;
        if seen == count {
            Ok(())
        } else {
            Err(seen.to_string())
        }
    })
    .await;
}

#[test]
fn a_call_waits_for_a_cluster_that_comes() {
    isolated(async || {
        let _provider = WireProvider::start(20881, echo("v1")).await;
        // The second does not fit into what Envoy holds of a request.
        let arguments = ["Ann".to_owned(), "x".repeat(3 << 20)];
        for version in VERSIONS {
            let files = Files::new();
            files.routes(&[to("v1")]);
            let envoy = envoy(&files.caller(json!({}))).version(version);
            let mut envoy = envoy.start().await;
            envoy.wait_until_ready().await;
            for argument in &arguments {
                let consumer = WireConsumer::connect(20880).await;
                let call = call(argument);
                let (answer, ()) = futures::join!(timed(&consumer, &call), async {
                    tokio::time::sleep(MEANWHILE).await;
                    files.clusters(&[("v1", 20881)]);
                });
                let (answer, took) = answer;
                assert_eq!(
                    answer,
                    answered(&format!("{argument} from v1")),
                    "{version}"
                );
                assert!(
                    took >= MEANWHILE && took < 3 * MEANWHILE,
                    "{version}: {took:?}"
                );
                let (answer, _) = timed(&consumer, &call).await;
                assert_eq!(
                    answer,
                    answered(&format!("{argument} from v1")),
                    "{version}"
                );
                files.clusters(&[]);
                clusters(&envoy, 0).await;
            }
            metric(&envoy, "dubbo.requests.held", 2).await;
            metric(&envoy, "dubbo.requests.held_in_vain", 0).await;
            metric(&envoy, "dubbo.local_replies", 0).await;
            println!("{}", envoy.process().log());
            envoy.stop().await;
        }
    });
}

/// Its cluster goes before its route does, as istiod has it.
#[test]
fn a_call_waits_for_another_route() {
    isolated(async || {
        let _provider = WireProvider::start(20882, echo("v2")).await;
        for version in VERSIONS {
            let files = Files::new();
            files.routes(&[to("v1")]);
            files.clusters(&[("v2", 20882)]);
            let envoy = envoy(&files.caller(json!({}))).version(version);
            let mut envoy = envoy.start().await;
            envoy.wait_until_ready().await;
            let consumer = WireConsumer::connect(20880).await;
            for argument in ["Ann", &"x".repeat(200_000)] {
                files.routes(&[to("v1")]);
                tokio::time::sleep(MEANWHILE).await;
                let call = call(argument);
                let (answer, ()) = futures::join!(timed(&consumer, &call), async {
                    tokio::time::sleep(MEANWHILE).await;
                    files.routes(&[to("v2")]);
                });
                let (answer, took) = answer;
                assert_eq!(
                    answer,
                    answered(&format!("{argument} from v2")),
                    "{version}"
                );
                assert!(
                    took >= MEANWHILE && took < ONE_SECOND,
                    "{version}: {took:?}"
                );
            }
            metric(&envoy, "dubbo.requests.held", 2).await;
            metric(&envoy, "dubbo.requests.held_in_vain", 0).await;
            println!("{}", envoy.process().log());
            envoy.stop().await;
        }
    });
}
