//! Hundreds of services on one port number, thousands in one answer.

use std::collections::BTreeMap;

use support::{EnvoySettings, GATEWAY, IstiodSettings, Namespace, isolated, work_dir};

use super::{SOURCE, becomes, complaints, serve};

const COUNT: usize = 500;

/// A file of 500 interfaces on port 20880.
fn registry() -> String {
    let url = |n: usize| {
        format!(
            "- dubbo://10.8.{}.{}:20880/com.acme.Service{n}\n",
            n / 250,
            n % 250 + 1
        )
    };
    let file = work_dir().join("providers.yaml");
    std::fs::write(&file, (0..COUNT).map(url).collect::<String>()).unwrap();
    format!("file:{}", file.display())
}

/// As TCP each has a listener of its own, at its own address.
#[test]
fn five_hundred_interfaces_on_one_port_in_tcp_mode() {
    isolated(async || {
        let pod = Namespace::new("caller", 1);
        let _mesh = serve(&["--registry", &registry()]).await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let address = (GATEWAY, istiod.xds_address().port()).into();
        let envoy = EnvoySettings::sidecar("caller", "shop", address)
            .inside(&pod)
            .start()
            .await;
        becomes("the listeners", COUNT, async || {
            let listeners = envoy.page("/listeners").await?;
            Ok(listeners
                .lines()
                .filter(|line| line.starts_with("241.") && line.contains("_20880::"))
                .count())
        })
        .await;
        becomes("no conflicts", 0.0, async || {
            istiod
                .metric("pilot_conflict_outbound_listener_tcp_over_current_tcp", "")
                .await
        })
        .await;
        assert_eq!(complaints(&istiod), [""; 0]);
    });
}

/// As HTTP/2 they share one listener, which routes by the host.
#[test]
fn five_hundred_interfaces_on_one_port_in_http2_mode() {
    isolated(async || {
        let config = work_dir().join("config.yaml");
        std::fs::write(
            &config,
            "ports: {http2: [{ports: [20880], namespaces: [shop]}]}\n",
        )
        .unwrap();
        let pod = Namespace::new("caller", 1);
        let _mesh = serve(&[
            "--registry",
            &registry(),
            "--config",
            config.to_str().unwrap(),
        ])
        .await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let address = (GATEWAY, istiod.xds_address().port()).into();
        let envoy = EnvoySettings::sidecar("caller", "shop", address)
            .inside(&pod)
            .start()
            .await;
        becomes("the routes", COUNT, async || {
            let dump = envoy
                .json("/config_dump?resource=dynamic_route_configs")
                .await?;
            let configs = dump["configs"].as_array().map_or(&[][..], Vec::as_slice);
            let of_port = configs
                .iter()
                .find(|config| config["route_config"]["name"] == "20880");
            let hosts = of_port.map(|config| &config["route_config"]["virtual_hosts"]);
            let hosts = hosts
                .and_then(serde_json::Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            let ours = |host: &&serde_json::Value| {
                host["name"].as_str().unwrap_or("").contains(".dubbo:20880")
            };
            Ok(hosts.iter().filter(ours).count())
        })
        .await;
        let listeners = envoy.page("/listeners").await.unwrap();
        assert!(listeners.contains("0.0.0.0_20880::"), "{listeners}");
        assert!(!listeners.contains("241."), "{listeners}");
        assert_eq!(complaints(&istiod), [""; 0]);

        // Another namespace sees none of them.
        let other = Namespace::new("other", 2);
        let envoy = EnvoySettings::sidecar("other", "pay", address)
            .admin_port(15001 + 999)
            .inside(&other)
            .start()
            .await;
        becomes("its own listeners", true, async || {
            Ok(envoy
                .page("/listeners")
                .await?
                .contains("virtualOutbound::"))
        })
        .await;
        assert!(!envoy.page("/listeners").await.unwrap().contains("20880"));
    });
}

/// 30,000 endpoints, more than the 4 MB at which gRPC libraries cut by default. A restart of
/// `dubbo-mesh` sends it all again, and istiod finds nothing new.
#[test]
fn a_set_of_many_megabytes_arrives_whole() {
    const SERVICES: usize = 5_000;
    isolated(async || {
        let url = |n: usize| {
            let service = n / 6;
            format!(
                "- dubbo://10.9.{}.{}:20880/com.acme.department.api.Service{service}?application=department-{}\n",
                n / 250,
                n % 250 + 1,
                service % 97,
            )
        };
        let file = work_dir().join("providers.yaml");
        std::fs::write(&file, (0..SERVICES * 6).map(url).collect::<String>()).unwrap();
        let registry = format!("file:{}", file.display());
        let mesh = serve(&["--registry", &registry]).await;
        let istiod = IstiodSettings::new(&[SOURCE]).start().await;
        let held = async || Ok(istiod.configs("ServiceEntry").await?.len());
        becomes("every service", SERVICES, held).await;
        let bytes =
            super::admin("/clients").await.unwrap()["published"]["ServiceEntry"]["bytes"].as_u64();
        assert!(bytes.unwrap() > 5_000_000, "{bytes:?}");
        let versions = async || {
            let configs = istiod.configs("ServiceEntry").await?;
            let text = |value: &serde_json::Value| value.to_string();
            let version = |config: &serde_json::Value| {
                let metadata = &config["metadata"];
                (text(&metadata["name"]), text(&metadata["resourceVersion"]))
            };
            Ok::<_, String>(configs.iter().map(version).collect::<BTreeMap<_, _>>())
        };
        let before = versions().await.unwrap();
        let pushes = || {
            let log = istiod.process().log();
            log.lines()
                .filter(|line| line.contains("Push debounce stable"))
                .count()
        };
        let seen = pushes();
        assert!(seen > 0, "istiod says it in other words now");

        assert!(mesh.stop().await.success());
        let _mesh = serve(&["--registry", &registry]).await;
        becomes("it is back", true, async || {
            let listing = super::admin("/clients").await?;
            let types = &listing["clients"][0]["types"]["networking.istio.io/v1/ServiceEntry"];
            Ok(types["acked_version"].is_string())
        })
        .await;
        // Compared as a whole, but not printed: that would be a megabyte.
        assert!(versions().await.unwrap() == before, "versions changed");
        assert_eq!(pushes(), seen);
        assert_eq!(complaints(&istiod), [""; 0]);
    });
}
