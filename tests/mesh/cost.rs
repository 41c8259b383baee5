//! What a port in http2 mode costs a sidecar: as `dubbo-mesh plan` says, and as Envoy has it.

use serde_json::{Value, json};
use support::{
    Envoy, EnvoySettings, GATEWAY, IstiodSettings, Namespace, dubbo_mesh, isolated, wait_until,
    work_dir,
};

use super::{SOON, SOURCE, becomes, serve};

/// So many services with so many providers each on port 20880, in place of those before.
fn write(services: usize, providers: usize) -> String {
    let url = |s: usize, p: usize| {
        let address = format!("10.{}.{}.{}", 8 + p, s / 250, s % 250 + 1);
        format!(
            "- dubbo://{address}:20880/com.acme.orders.api.OrderService{s}?application=orders&version=1.0.0\n"
        )
    };
    let text: String = (0..services)
        .flat_map(|s| (0..providers).map(move |p| url(s, p)))
        .collect();
    let file = work_dir().join("providers.yaml");
    let new = work_dir().join("providers.new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, &file).unwrap();
    format!("file:{}", file.display())
}

/// Memory in use, once it stands still.
async fn memory(envoy: &Envoy) -> i64 {
    let mut before = 0;
    let mut still = 0;
    wait_until("Envoy has settled", SOON, async || {
        let memory = envoy.json("/memory").await?;
        let now: i64 = memory["allocated"].as_str().unwrap().parse().unwrap();
        still = if (now - before).abs() < 100_000 {
            still + 1
        } else {
            0
        };
        before = now;
        (still > 20)
            .then_some(())
            .ok_or_else(|| format!("{now} bytes"))
    })
    .await;
    before
}

#[test]
fn the_estimate_is_what_envoy_needs() {
    isolated(async || {
        let config = work_dir().join("config.yaml");
        let text = "ports: {http2: [{ports: [20880], namespaces: [shop]}]}\n";
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap().to_owned();
        let registry = write(1, 1);
        let source = ["--registry", &registry, "--config", &config];
        let planned = || {
            let asked = [&["plan"], source.as_slice(), &["--output", "json"]].concat();
            let plan: Value = serde_json::from_slice(&dubbo_mesh(&asked).stdout).unwrap();
            plan["ports"][0]["sidecar"]["bytes"].as_i64().unwrap()
        };
        let pod = Namespace::new("caller", 1);
        let _mesh = serve(&source).await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let address = (GATEWAY, istiod.xds_address().port()).into();
        // What istio-proxy keeps unless told otherwise, as far as it concerns clusters.
        let kept = [
            "cluster_manager",
            "listener_manager",
            "server",
            "cluster.xds-grpc",
        ];
        let kept: Vec<Value> = kept
            .iter()
            .map(|prefix| json!({"prefix": prefix}))
            .collect();
        let envoy = EnvoySettings::sidecar("caller", "shop", address)
            .section(
                "stats_config",
                json!({"stats_matcher": {"inclusion_list": {"patterns": kept}}}),
            )
            .inside(&pod)
            .start()
            .await;
        let mut seen = Vec::new();
        for (services, providers) in [(1, 1), (150, 1), (150, 7)] {
            write(services, providers);
            becomes("the endpoints", services * providers, async || {
                let clusters = envoy.page("/clusters").await?;
                let ours =
                    |line: &&str| line.contains(".dubbo::10.") && line.contains("::weight::");
                Ok(clusters.lines().filter(ours).count())
            })
            .await;
            seen.push((planned(), memory(&envoy).await));
        }
        for step in seen.windows(2) {
            let (planned, needed) = (step[1].0 - step[0].0, step[1].1 - step[0].1);
            let share = planned as f64 / needed as f64;
            assert!(
                (0.6..1.7).contains(&share),
                "{planned} planned, {needed} needed: {seen:?}"
            );
        }
    });
}
