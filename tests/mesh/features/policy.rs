//! AuthorizationPolicies at the provider's sidecar: by method, attachment and identity.

use support::{Call, WireConsumer, isolated};

use super::super::sidecars::{Settings, Sidecars, provider_service};
use super::super::traffic::carried;
use super::super::{becomes, complaints};

/// The provider's half at its pod. The body's attachments are there what they are at the caller's.
const PROVIDERS: &str =
    "{options: {attachments: [region]}, providers: [{ports: [20880], namespaces: [pay]}]}";

/// Method and region of the calls; which of them come from the pod of callers, and which from nobody.
const CALLS: [(&str, &str, bool); 5] = [
    ("greet", "", true),
    ("greet", "eu", true),
    ("fail", "", true),
    ("fail", "eu", true),
    ("greet", "", false),
];

/// Name, rules, and which of the calls are denied.
const POLICIES: &[(&str, &str, [bool; 5])] = &[
    (
        "nothing",
        "action: DENY, rules: [{to: [{operation: {paths: [/other]}}]}]",
        [false; 5],
    ),
    (
        "no-fail",
        "action: DENY, rules: [{to: [{operation: {paths: ['*/fail']}}]}]",
        [false, false, true, true, false],
    ),
    (
        "no-europe",
        "action: DENY, rules: [{when: [{key: 'request.headers[region]', values: [eu]}]}]",
        [false, true, false, true, false],
    ),
    (
        "greet-alone",
        "action: ALLOW, rules: [{to: [{operation: {paths: [/com.acme.Greeter/greet], methods: [POST]}}]}]",
        [false, false, true, true, false],
    ),
    (
        "europe-alone",
        "action: ALLOW, rules: [{when: [{key: 'request.headers[region]', values: ['e*']}]}]",
        [true, false, true, false, true],
    ),
    (
        "europe-fails",
        "action: DENY, rules: [{to: [{operation: {paths: ['*/fail']}}],
          when: [{key: 'request.headers[region]', notValues: [eu]}]}]",
        [false, false, true, false, false],
    ),
    (
        "not-shop",
        "action: DENY, rules: [{from: [{source: {namespaces: [shop]}}]}]",
        [true, true, true, true, false],
    ),
    (
        "shop-alone",
        "action: ALLOW, rules: [{from: [{source: {principals: ['*/ns/shop/sa/caller']}}]}]",
        [false, false, false, false, true],
    ),
    (
        "this-host",
        "action: ALLOW, rules: [{to: [{operation: {hosts: [com.acme.greeter.dubbo]}}]}]",
        [false; 5],
    ),
    ("closed", "{}", [true; 5]),
];

fn policy(name: &str, spec: &str) -> String {
    let spec = spec.trim_matches(['{', '}']);
    let selector = "selector: {matchLabels: {app: provider}}";
    format!(
        "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: pay}}
spec: {{{selector}, {spec}}}
"
    )
}

#[test]
fn a_policy_decides_by_method_attachment_and_identity() {
    isolated(async || {
        let mesh = Sidecars::start(Settings {
            filter: PROVIDERS,
            objects: provider_service(),
            provider_has_module: true,
            ..Settings::default()
        })
        .await;
        let provider = mesh.provider.dubbo();
        let caller = WireConsumer::connect_from(&mesh.caller.network, provider);
        let denied = async |(method, region, known): (&str, &str, bool)| {
            let call = Call::new("com.acme.Greeter", method, "World").with("region", region);
            let answer = if known {
                caller.call(&call).await?
            } else {
                WireConsumer::connect_to(provider).await.call(&call).await?
            };
            match (answer.status, answer.text.contains("RBAC: access denied")) {
                (20, false) => Ok(false),
                (40, true) => Ok(true),
                _ => Err(format!("{answer:?}")),
            }
        };
        for (name, spec, expected) in POLICIES {
            mesh.apply(&policy(name, spec));
            let named = format!("ns[pay]-policy[{name}]");
            if *name != "closed" {
                becomes(&named, true, async || {
                    Ok(mesh
                        .provider
                        .envoy
                        .page("/config_dump")
                        .await?
                        .contains(&named))
                })
                .await;
            }
            becomes(name, *expected, async || {
                let mut seen = [false; 5];
                for (seen, call) in seen.iter_mut().zip(CALLS) {
                    *seen = denied(call).await?;
                }
                Ok(seen)
            })
            .await;
        }
        assert_ne!(
            carried(&mesh.provider.envoy, "inbound|20880||", "rq_total").await,
            0
        );
        assert_eq!(complaints(&mesh.istiod), [""; 0]);
    });
}
