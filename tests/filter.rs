//! The filter in real Envoys, between real applications.
//!
//! Each test starts from a configuration that is shipped in `proxy-filter/envoy`, changes what it is
//! about, and looks at both ends: what the caller saw, and which cluster Envoy's access log says
//! carried the call.

#![expect(clippy::unwrap_used, reason = "everything here is part of a test")]

mod module;
mod observe;
mod sniff;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use support::{Deed, Envoy, EnvoySettings, Methods, module_dir, wait_until};

const SOON: Duration = Duration::from_secs(10);
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
