//! What istiod makes of our patches with the defaults of an installation, which a stock Envoy cannot
//! run: `istio.alpn`, metadata exchange, mutual TLS where both ends have it. Envoy asks for it, and istiod
//! shows what it sends.

mod callers;
mod providers;

use serde_json::Value;
use support::IstiodSettings;

use super::SOURCE;

const HCM: &str = "envoy.filters.network.http_connection_manager";

/// istiod as it is installed, with these sources behind ours.
fn istiod(sources: &[&str]) -> IstiodSettings {
    IstiodSettings::new(&[&[SOURCE], sources].concat())
        .environment("PILOT_ENABLE_METADATA_EXCHANGE", "true")
        .environment("PILOT_ENABLE_ALPN_FILTER", "true")
        .mesh("enableAutoMtls: true")
}

/// The names of what is in a list.
fn names(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let name = |element: &Value| element["name"].as_str().unwrap_or("").to_owned();
    list.iter().map(name).collect()
}

/// The object of this name, however deep.
fn find<'a>(dump: &'a Value, name: &str, has: &str) -> Option<&'a Value> {
    if dump["name"] == name && !dump[has].is_null() {
        return Some(dump);
    }
    match dump {
        Value::Array(list) => list.iter().find_map(|inner| find(inner, name, has)),
        Value::Object(fields) => fields.values().find_map(|inner| find(inner, name, has)),
        _ => None,
    }
}
