//! Our module for Envoy, built from the sources at hand, and the configurations that are shipped with it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::built::built;

const FILTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proxy-filter");
/// As Envoy looks for the module `dubbo_proxy_filter`.
const FILE: &str = "libdubbo_proxy_filter.so";

/// The directory that has the module in it.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn module_dir() -> &'static Path {
    let dir = built();
    assert!(dir.join(FILE).exists(), "no {FILE} in {}", dir.display());
    dir
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
