//! What the documents have to be pasted: YAML that parses, and configurations that `dubbo-mesh check` takes.
//!
//! A block whose first line is `# config.yaml` is a configuration of ours, as is the text of that name in a
//! ConfigMap.

#![allow(
    clippy::unwrap_used,
    reason = "a failed test is what a failed unwrap is for"
)]

use dubbo_mcp_server::config::Config;
use serde_json::Value;

const DOCUMENTS: [(&str, &str); 3] = [
    ("README.md", include_str!("../../README.md")),
    ("docs/install.md", include_str!("../../docs/install.md")),
    ("docs/trial.md", include_str!("../../docs/trial.md")),
];

/// The YAML blocks of a document.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let begins = text.split("\n```yaml\n").skip(1);
    begins.map(|block| block.split_once("\n```").unwrap().0)
}

#[test]
fn every_block_parses_and_every_configuration_is_one() {
    let (mut all, mut configurations) = (0, 0);
    for (name, text) in DOCUMENTS {
        for block in blocks(text) {
            let value: Value = serde_saphyr::from_str(block)
                .unwrap_or_else(|error| panic!("{name}: {error}\n{block}"));
            let configuration = match &value["data"]["config.yaml"] {
                Value::String(text) => Some(text.as_str()),
                _ => block.starts_with("# config.yaml").then_some(block),
            };
            if let Some(text) = configuration {
                let read = Config::from_text(text);
                assert!(read.is_ok(), "{name}: {}\n{text}", read.unwrap_err());
                configurations += 1;
            }
            all += 1;
        }
    }
    // No block may slip through for want of its fence or its first line.
    assert_eq!((all, configurations), (18, 6));
}

/// Annotations that hold JSON or YAML of their own.
#[test]
fn what_annotations_hold_parses() {
    let mut seen = Vec::new();
    for (_, text) in DOCUMENTS {
        for block in blocks(text) {
            let value: Value = serde_saphyr::from_str(block).unwrap();
            let pod = &value["spec"]["template"]["metadata"]["annotations"];
            for annotations in [pod, &value] {
                for name in [
                    "sidecar.istio.io/userVolume",
                    "sidecar.istio.io/userVolumeMount",
                ] {
                    if let Value::String(json) = &annotations[name] {
                        let volumes: Value = serde_json::from_str(json).unwrap();
                        assert!(volumes["dubbo-mesh"].is_object(), "{json}");
                        seen.push(name);
                    }
                }
                if let Value::String(yaml) = &annotations["proxy.istio.io/config"] {
                    let config: Value = serde_saphyr::from_str(yaml).unwrap();
                    assert_eq!(config["proxyMetadata"]["ISTIO_META_DUBBO_MESH"], "1");
                    seen.push("proxy.istio.io/config");
                }
            }
        }
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            "proxy.istio.io/config",
            "proxy.istio.io/config",
            "sidecar.istio.io/userVolume",
            "sidecar.istio.io/userVolumeMount",
            "sidecar.istio.io/userVolumeMount",
        ]
    );
}
