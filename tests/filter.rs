//! The filter in real Envoys, between real applications.
//!
//! Each test starts from a configuration that is shipped in `proxy-filter/envoy`, changes what it is
//! about, and looks at both ends: what the caller saw, and which cluster Envoy's access log says
//! carried the call.

#![expect(clippy::unwrap_used, reason = "everything here is part of a test")]

mod authority;
mod both;
mod bridge;
mod calls;
mod events;
mod failures;
mod hold;
mod hostile;
mod load;
mod module;
mod observe;
mod restarts;
mod slow;
mod sniff;
mod stock;
mod tls;
mod tracing;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use support::{CallAnswer, Deed, Envoy, EnvoySettings, Methods, module_dir, shipped, wait_until};

/// A limit for what does not take long: no result depends on it but that of a test that fails.
const SOON: Duration = Duration::from_secs(30);
/// What a caller is told whom Envoy denies a call.
const DENIED: &str = "dubbo-mesh: HTTP status 403: RBAC: access denied";
const GREETER: &str = "com.acme.Greeter";

/// An Envoy with our module.
fn envoy(bootstrap: &Value) -> EnvoySettings {
    EnvoySettings::new("envoy", bootstrap.clone()).modules(module_dir())
}

/// Puts `value` at a place that a shipped configuration has.
fn set(bootstrap: &mut Value, pointer: &str, value: Value) {
    *(bootstrap.pointer_mut(pointer)).unwrap_or_else(|| panic!("there is no {pointer}")) = value;
}

/// Lines of Envoy's log that begin with `prefix`, once there are `count`; and no more than that.
async fn lines(envoy: &Envoy, prefix: &str, count: usize) -> Vec<String> {
    let what = format!("{count} lines \"{prefix}...\"");
    let lines = wait_until(&what, SOON, async || {
        let log = envoy.process().log();
        let lines: Vec<_> = log
            .lines()
            .filter(|line| line.starts_with(prefix))
            .map(str::to_owned)
            .collect();
        if lines.len() >= count {
            Ok(lines)
        } else {
            Err(format!("{lines:#?}"))
        }
    })
    .await;
    assert_eq!(lines.len(), count, "{lines:#?}");
    lines
}

/// Waits until a metric of ours has a value.
async fn metric(envoy: &Envoy, name: &str, expected: u64) {
    let name = format!("dynamicmodulescustom.{name}");
    wait_until(&format!("{name} = {expected}"), SOON, async || {
        let seen = envoy.stat(&name).await?;
        if seen == expected {
            Ok(())
        } else {
            Err(seen.to_string())
        }
    })
    .await;
}

/// Methods that say where they are: `ANYTHING(x)` returns `x from NAME`.
fn echo(name: &str) -> Methods {
    let name = name.to_owned();
    Arc::new(move |_, argument| Deed::Return(format!("{argument} from {name}")))
}

/// How calls get from Envoy to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// One connection a call.
    Bridge,
    /// All calls on one.
    Socket,
}

const WAYS: [Way; 2] = [Way::Bridge, Way::Socket];
const ROUTES: &str = "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config/route_config/virtual_hosts/0/routes";
const HTTP_FILTERS: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config/http_filters";

/// The shipped configuration of the caller's side, with both of its clusters this way: v1 at port 20881
/// and v2 at 20882.
fn caller(way: Way) -> Value {
    let mut bootstrap = shipped("caller");
    let clusters = json!([cluster(way, "v1", &[20881]), cluster(way, "v2", &[20882])]);
    set(&mut bootstrap, "/static_resources/clusters", clusters);
    bootstrap
}

/// A cluster as it is shipped, with this name and the providers at these ports.
fn cluster(way: Way, name: &str, ports: &[u16]) -> Value {
    let shipped = shipped("caller");
    let number = match way {
        Way::Bridge => 0,
        Way::Socket => 1,
    };
    let mut cluster = shipped["static_resources"]["clusters"][number].clone();
    let endpoint = |port: &u16| {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        json!({"endpoint": {"address": address}})
    };
    let endpoints: Vec<_> = ports.iter().map(endpoint).collect();
    cluster["name"] = json!(name);
    cluster["load_assignment"] =
        json!({"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]});
    cluster
}

/// Puts an HTTP filter before the router.
fn add_http_filter(bootstrap: &mut Value, filter: Value) {
    let filters = bootstrap.pointer_mut(HTTP_FILTERS).unwrap();
    filters.as_array_mut().unwrap().insert(0, filter);
}

fn answered(text: &str) -> Result<CallAnswer, String> {
    ended(20, text)
}

fn ended(status: u8, text: &str) -> Result<CallAnswer, String> {
    Ok(CallAnswer {
        status,
        text: text.to_owned(),
    })
}
