//! Our module for Envoy, built from the sources at hand, and the configurations that are shipped with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::isolation::target_dir;

const FILTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proxy-filter");
/// As Envoy looks for the module `dubbo_proxy_filter`.
const FILE: &str = "libdubbo_proxy_filter.so";

/// The directory that has the module in it.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn module_dir() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let (target, profile_dir) = target_dir();
        let profile = match profile_dir.ends_with("debug") {
            true => "dev",
            false => "release",
        };
        // As of the binary: so that a test never loads yesterday's module.
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "build",
                "--offline",
                "--locked",
                "--package",
                "dubbo-proxy-filter",
            ])
            .args(["--lib", "--profile", profile, "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let module = profile_dir.join(FILE);
        let (file, profile) = (module.display(), profile);
        assert!(
            module.exists(),
            "no {file}: cargo build -p dubbo-proxy-filter --profile {profile}"
        );
        profile_dir
    })
}

/// One of the configurations in `proxy-filter/envoy`: `caller`, `provider`, `both`, `observe`.
///
/// # Panics
/// If there is none of this name, or it is no YAML.
#[must_use]
pub fn shipped(name: &str) -> Value {
    let path = Path::new(FILTER)
        .join("envoy")
        .join(name)
        .with_extension("yaml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}
