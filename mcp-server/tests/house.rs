//! The walls of the house: pure files wait for nothing, log nothing and know no clock.

#![allow(
    clippy::unwrap_used,
    reason = "a failed test is what a failed unwrap is for"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// The files that may, by crate. Everything else is pure.
const SHELLS: [(&str, &[&str]); 4] = [
    ("../codec/src", &[]),
    (
        "../registry/src",
        &[
            "lib.rs",
            "file.rs",
            "resolve.rs",
            "zookeeper.rs",
            "zookeeper/ask.rs",
            "zookeeper/census.rs",
            "zookeeper/connect.rs",
            "zookeeper/follow.rs",
        ],
    ),
    (
        "../proxy-filter/src",
        &[
            "abi.rs",
            "bridge.rs",
            "envoy.rs",
            "envoy/",
            "guard.rs",
            "http_filter.rs",
            "lib.rs",
            "listener_filter.rs",
            "module.rs",
            "network_filter.rs",
            "network_filter/",
            "timer.rs",
            "transport_socket.rs",
            "transport_socket/",
            "worker.rs",
        ],
    ),
    (
        "src",
        &[
            "admin.rs",
            "convert.rs",
            "main.rs",
            "pipeline.rs",
            "plan.rs",
            "serve.rs",
            "server.rs",
            "server/",
            "status.rs",
            "telemetry.rs",
            "telemetry/",
        ],
    ),
];

/// What a pure file does not name.
const FOREIGN: [&str; 9] = [
    "crate::abi",
    "crate::envoy",
    "tokio::",
    "tokio_stream::",
    "tonic::",
    "hyper::",
    "tracing::",
    "Instant::now",
    "SystemTime",
];

#[test]
fn pure_files_name_neither_runtime_nor_clock_nor_logs() {
    let mut found = Vec::new();
    let mut pure = 0;
    for (root, shells) in SHELLS {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
        for file in sources(&root) {
            let name = file
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let shell = |s: &&str| name == **s || (s.ends_with('/') && name.starts_with(*s));
            if shells.iter().any(shell) || name.contains("test") {
                continue;
            }
            pure += 1;
            let text = fs::read_to_string(&file).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                if FOREIGN.iter().any(|word| line.contains(word)) {
                    found.push(format!("{name}: {}", line.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(pure > 30, "only {pure} pure files seen");
}

/// Only the files that say so wait on several things at once.
#[test]
fn select_lives_in_one_file_of_each_crate() {
    for (root, _) in SHELLS {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
        let with_select = |file: &PathBuf| fs::read_to_string(file).unwrap().contains("select! {");
        let files: Vec<_> = sources(&root).into_iter().filter(with_select).collect();
        assert!(files.len() <= 1, "{files:?}");
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
