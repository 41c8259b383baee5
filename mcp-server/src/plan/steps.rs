//! How to switch a port, and how to switch it back: what to write, in which order. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dubbo_registry::installation::{Installation, METADATA_KEY};
use dubbo_registry::mesh::Mesh;
use dubbo_registry::ports::{Mode, Ports};
use ipnet::IpNet;

/// What makes the way back free of loss has to be there before any connection is.
const DRAIN: &str = "Decide how connections will end, before there are any: with `filter: {options: {drain_ms: 65000, \
    readonly_event: in_turn}}`, and `drainDuration: 75s` for these sidecars (Istio's \
    `proxy.istio.io/config`, 45 s by default; it takes new pods), they close one after another within a \
    minute, and no call is lost where a caller has two providers. By default they close within 4 s: that \
    costs Dubbo 3.x up to a second of calls, which its `retries` do not hide. Changed later, the options \
    themselves close connections, by the old ones.";

/// How to switch `port`. What is served before the callers have the filter, their sidecars have from the
/// beginning: no connection is closed for it.
pub(super) fn steps(port: u16, namespaces: &[Arc<str>], mesh: &Mesh) -> Vec<String> {
    let default = Installation::default();
    let metadata = &mesh.installation.as_ref().unwrap_or(&default).metadata;
    let mode = mesh.ports.mode(port);
    let is_switched = matches!(&mode, Mode::Http2(listed) if **listed == *namespaces);
    let mut steps = Vec::new();
    if !is_switched {
        steps.extend(preparations(port, namespaces, mesh));
    }
    steps.push(format!(
        "Give the callers in {} the filter, in new pods: mount its module beside their sidecars and set the \
         proxy metadata {METADATA_KEY}: \"{metadata}\". A sidecar without it is left alone, Dubbo passes \
         through it untouched.",
        names(namespaces)
    ));
    if !is_switched {
        steps.push(switch(port, namespaces, mesh));
    }
    steps.push(format!(
        "See that it holds: `/clients` shows an ACK and no NACK, `istioctl proxy-config listeners \
         POD --port {port}` shows 0.0.0.0, and the calls are counted for clusters \
         `outbound|{port}||….dubbo`, no longer for PassthroughCluster."
    ));
    steps
}

/// What is to be written where before the callers have the filter.
fn preparations(port: u16, namespaces: &[Arc<str>], mesh: &Mesh) -> Vec<String> {
    let mut steps = Vec::new();
    if let Err(refused) = mesh.ports.check(port) {
        steps.push(format!("Let it listen: {refused}."));
    }
    if mesh.ports.mode(port) == Mode::Tcp {
        let list = list(&[port].into(), namespaces, &[]);
        let observe = match &mesh.installation {
            Some(there) if !there.observed.is_empty() => format!("add {list} to `filter.observe`"),
            _ => format!("`filter: {{observe: [{list}]}}` in the configuration"),
        };
        steps.push(format!(
            "Count first: {observe}, `dubbo-mesh check`, and start `dubbo-mesh serve` anew. Nothing is \
             routed yet. Sidecars that have the filter already close for it, when their drain time is \
             over, all connections that pass through them; so it comes before the filter."
        ));
    }
    if !closes_in_turn(mesh) {
        steps.push(DRAIN.to_owned());
    }
    steps
}

/// The switch itself.
fn switch(port: u16, namespaces: &[Arc<str>], mesh: &Mesh) -> String {
    let filter = match mesh.installation {
        Some(_) => "",
        None => ", and `filter: {}` where nothing else is left in that section",
    };
    let off = match &mesh.installation {
        Some(there) if there.names(port) => ", take the port off `filter.triple`",
        _ => "",
    };
    let after = mesh.ports.clone().with_http2([port], namespaces);
    format!(
        "Switch, once the counters of the sidecars show the calls that you expect: write `ports: {{http2: \
         {}}}`{filter}{off}, and leave `filter.observe` as it is; `dubbo-mesh check`, and start `dubbo-mesh \
         serve` anew.",
        lists(&after)
    )
}

/// Whether connections end as [`DRAIN`] has it.
fn closes_in_turn(mesh: &Mesh) -> bool {
    let options = mesh.installation.iter().flat_map(|there| &there.options);
    options
        .into_iter()
        .any(|(name, value)| name == "readonly_event" && value == "in_turn")
}

/// How to switch `port` back. Calls on open connections need routes and a cluster for as long as there
/// are such connections: so the lists are left in this order.
pub(super) fn undo(port: u16, namespaces: &[Arc<str>], mesh: &Mesh) -> Vec<String> {
    let before = mesh.ports.clone().without_http2(port);
    let how = match closes_in_turn(mesh) {
        true => {
            "They close one after another within `drain_ms`; that has to be longer than an SDK takes to \
             connect anew (Dubbo 3.x: a minute), and `drainDuration` of these sidecars longer still."
        }
        false => {
            "By default within 4 s: a Dubbo 3.x caller then fails the calls of up to a second, which its \
             `retries` do not hide; of 2.x they hide what is lost. `drain_ms` and `readonly_event: \
             in_turn` avoid it, if they stood in `filter.options` before the switch."
        }
    };
    let list = list(&[port].into(), namespaces, &[]);
    vec![
        format!(
            "Bypass: add {list} to `filter.bypass`, `dubbo-mesh check`, and start `dubbo-mesh serve` \
             anew. From then on each call goes where its SDK dialled, on open connections too, and no \
             connection closes. See that the requests of `dubbo-original-dst` grow and those of \
             `outbound|{port}||….dubbo` do not."
        ),
        format!(
            "At a quiet time write `ports: {{http2: {}}}` besides, `dubbo-mesh check`, and start \
             `dubbo-mesh serve` anew. The services are TCP again and 0.0.0.0_{port} goes: new \
             connections pass through as before, open ones are closed by the sidecar. {how}",
            lists(&before)
        ),
        format!(
            "When the drain time is over (`istioctl proxy-config listeners POD --port {port}` shows no \
             0.0.0.0), take {list} off `filter.bypass`. Only then take the filter's module away, if you \
             want to."
        ),
    ]
}

/// Every http2 list, as it is written.
fn lists(ports: &Ports) -> String {
    let numbers: BTreeSet<u16> = ports.http2_by_namespace().into_values().flatten().collect();
    let mut lists: BTreeMap<_, BTreeSet<u16>> = BTreeMap::new();
    for number in numbers {
        if let Mode::Http2(namespaces) = ports.mode(number) {
            let except: Vec<String> = ports.except(number).map(IpNet::to_string).collect();
            let same = lists.entry((namespaces, except)).or_default();
            same.insert(number);
        }
    }
    let lists: Vec<_> = lists.iter().map(|((n, e), p)| list(p, n, e)).collect();
    format!("[{}]", lists.join(", "))
}

fn list(ports: &BTreeSet<u16>, namespaces: &[Arc<str>], except: &[String]) -> String {
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    let namespaces: Vec<_> = namespaces.iter().map(|name| quoted(name)).collect();
    let except = match except {
        [] => String::new(),
        except => format!(", except: [{}]", except.join(", ")),
    };
    format!(
        "{{ports: [{}], namespaces: [{}]{except}}}",
        ports.join(", "),
        namespaces.join(", ")
    )
}

/// As YAML takes it.
fn quoted(name: &str) -> String {
    match name {
        "*" => "\"*\"".to_owned(),
        name => name.to_owned(),
    }
}

fn names(namespaces: &[Arc<str>]) -> String {
    match namespaces {
        [all] if **all == *"*" => "all namespaces".to_owned(),
        [one] => format!("namespace {one}"),
        several => format!("namespaces {}", several.join(", ")),
    }
}
