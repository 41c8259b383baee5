//! The section `filter`: whose sidecars get the filter.

use std::collections::BTreeSet;
use std::sync::Arc;

use dubbo_proxy_filter::config::{Config as Options, ConfigError};
use dubbo_registry::installation::{
    AUTHORITY, ClusterMatch, EVERYWHERE, Installation, Reach, Upstream,
};
use dubbo_registry::ports::{PortList, Ports};
use dubbo_registry::resource::validate::is_label_value;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Namespace, check_export_to};

/// The section, as it is read.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub(super) struct Written(pub(super) Installation);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Fields {
    root_namespace: Option<Namespace>,
    metadata: Option<String>,
    upstream: Upstream,
    cluster_match: ClusterMatch,
    block_all: bool,
    options: Map<String, Value>,
    providers: Vec<PortList>,
    observe: Vec<PortList>,
    bypass: Vec<PortList>,
    triple: Vec<PortList>,
}

impl TryFrom<Fields> for Written {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let defaults = Installation::default();
        let metadata = fields.metadata.map_or(defaults.metadata, Arc::from);
        if metadata.is_empty() || !is_label_value(&metadata) {
            return Err(format!(
                "metadata: {metadata:?} cannot be the value of a proxy's metadata"
            ));
        }
        let installation = Installation {
            root_namespace: fields
                .root_namespace
                .map_or(defaults.root_namespace, |namespace| namespace.0),
            metadata,
            upstream: fields.upstream,
            cluster_match: fields.cluster_match,
            block_all: fields.block_all,
            options: fields.options,
            providers: reach(&fields.providers).map_err(|error| format!("providers: {error}"))?,
            observed: reach(&fields.observe).map_err(|error| format!("observe: {error}"))?,
            bypassed: reach(&fields.bypass).map_err(|error| format!("bypass: {error}"))?,
            triple: reach(&fields.triple).map_err(|error| format!("triple: {error}"))?,
        };
        check_options(&installation).map_err(|error| format!("options: {error}"))?;
        Ok(Self(installation))
    }
}

/// Envoy refuses a listener whose filter does not take its options, and a new pod without it is never
/// ready: so the filter's own reader has a look at them first.
fn check_options(installation: &Installation) -> Result<(), String> {
    if installation.options.is_empty() {
        return Ok(());
    }
    // Where Dubbo is, clusters take nothing else, and a request that is routed there is lost.
    if installation.options.contains_key(AUTHORITY) {
        return Err(format!(
            "{AUTHORITY}: list the ports of Triple and gRPC under `triple`, which sets it for them alone"
        ));
    }
    let text = |options: Map<String, Value>| Value::Object(options).to_string();
    let described = |error: ConfigError| error.to_string();
    Options::parse(text(installation.options.clone()).as_bytes()).map_err(described)?;
    Options::parse_for_provider(text(installation.provider_options().clone()).as_bytes())
        .map_err(described)?;
    Ok(())
}

/// A port of a namespace, once: a patch that is made twice puts the filter in twice.
fn reach(lists: &[PortList]) -> Result<Reach, String> {
    let mut reach = Reach::new();
    for list in lists {
        check_export_to(&list.namespaces)?;
        if list.namespaces.is_empty() {
            return Err("a list needs namespaces; `\"*\"` for all".to_owned());
        }
        if list.ports.is_empty() {
            return Err("a list needs ports".to_owned());
        }
        if !list.except.is_empty() {
            return Err("only lists of `ports.http2` have an `except`".to_owned());
        }
        for port in list.ports.iter().flat_map(|range| range.numbers()) {
            for namespace in &list.namespaces {
                if !reach.entry(namespace.clone()).or_default().insert(port) {
                    return Err(format!("port {port} is listed twice for {namespace}"));
                }
            }
        }
    }
    let everywhere = reach.get(EVERYWHERE).into_iter().flatten();
    for port in everywhere {
        let twice = |(namespace, ports): &(&Arc<str>, &BTreeSet<u16>)| {
            ***namespace != *EVERYWHERE && ports.contains(port)
        };
        if let Some((namespace, _)) = reach.iter().find(twice) {
            return Err(format!(
                "port {port} is listed for all namespaces and for {namespace} again"
            ));
        }
    }
    Ok(reach)
}

/// What a section says has to fit the ports.
pub(super) fn check(installation: &Installation, ports: &Ports) -> Result<(), String> {
    let routed = ports.http2_by_namespace();
    check_root(installation, &routed)?;
    let observed = &installation.observed;
    if observed.contains_key(EVERYWHERE) && observed.len() > 1 {
        return Err(
            "observe: all namespaces and some of them again: what is observed is one filter in a \
             listener for all ports, and would stand there twice; name the namespaces one by one"
                .to_owned(),
        );
    }
    let dubbo: BTreeSet<u16> = routed.values().flatten().copied().collect();
    let mut triple = installation.triple.values().flatten();
    if let Some(port) = triple.find(|port| dubbo.contains(port)) {
        return Err(format!(
            "triple: port {port} is in ports.http2, and so Dubbo's alone"
        ));
    }
    Ok(())
}

/// An EnvoyFilter in Istio's root namespace holds in the whole mesh, so that namespace cannot be
/// meant alone.
fn check_root(installation: &Installation, routed: &Reach) -> Result<(), String> {
    let root = &installation.root_namespace;
    let lists = [
        ("providers", &installation.providers),
        ("observe", &installation.observed),
        ("bypass", &installation.bypassed),
        ("triple", &installation.triple),
        ("rootNamespace", routed),
    ];
    match lists.iter().find(|(_, reach)| reach.contains_key(root)) {
        None => Ok(()),
        Some((list, _)) => Err(format!(
            "{list}: {root} is Istio's root namespace, and what stands there holds in all; it cannot \
             be in a list{}, `\"*\"` is for all namespaces",
            if *list == "rootNamespace" {
                " of ports.http2"
            } else {
                ""
            }
        )),
    }
}
