//! Two sidecars: what they may speak to each other, in plain text and in mutual TLS, and what the
//! provider's knows of the caller then.

use serde_json::{Value, json};
use support::{Authority, Call, Certificate, WireConsumer, WireProvider, isolated, shipped};

use super::{
    DENIED, GREETER, HTTP_FILTERS, WAYS, Way, answered, caller, cluster, echo, ended, envoy, lines,
    metric, set,
};

const LISTENER: &str = "/static_resources/listeners/0";
const LOG: &str = "/static_resources/listeners/0/filter_chains/0/filters/1/typed_config/access_log/0/typed_config/log_format/text_format_source/inline_string";
const CALLER: &str = "spiffe://cluster.local/ns/shop/sa/caller";

/// What goes from the caller's sidecar to the provider's.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Between {
    Dubbo,
    Http2,
}

/// The provider's side at 20881, and its application at this port.
fn inbound(way: Way, application: u16) -> Value {
    let mut inbound = shipped("provider");
    let port = format!("{LISTENER}/address/socket_address/port_value");
    set(&mut inbound, &port, json!(20881));
    let clusters = json!([cluster(way, "provider", &[application])]);
    set(&mut inbound, "/static_resources/clusters", clusters);
    inbound
}

/// The caller's side.
fn outbound(between: Between) -> Value {
    if between == Between::Dubbo {
        return caller(Way::Bridge);
    }
    // A transport socket asks for HTTP/2, which its absence leaves.
    let mut outbound = caller(Way::Socket);
    let cluster = &mut outbound["static_resources"]["clusters"][0];
    let socket = cluster.as_object_mut().unwrap().remove("transport_socket");
    assert!(socket.is_some());
    outbound
}

/// Two sidecars that speak HTTP/2 to each other: the provider's passes on what is not Dubbo.
#[test]
fn between_sidecars_it_may_be_http_2() {
    isolated(async || {
        let provider = WireProvider::start(20883, echo("provider")).await;
        let inbound = envoy(&inbound(Way::Bridge, 20883)).admin_port(15001);
        let inbound = inbound.start().await;
        let outbound = envoy(&outbound(Between::Http2)).start().await;
        let consumer = WireConsumer::connect(20880).await;
        assert_eq!(
            consumer.call(&Call::new(GREETER, "greet", "Ann")).await,
            answered("Ann from provider")
        );
        assert_eq!(
            consumer.call(&Call::new(GREETER, "forbidden", "Ann")).await,
            ended(40, DENIED)
        );
        assert_eq!(provider.seen().len(), 1);
        metric(&inbound, "dubbo.connections.other", 1).await;
        metric(&inbound, "dubbo.connections.dubbo", 0).await;
        metric(&outbound, "dubbo.connections.dubbo", 1).await;
    });
}

/// TLS of one end, with the certificate of a workload.
fn socket(kind: &str, authority: &Authority, own: &Certificate, require: bool) -> Value {
    let mut socket = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": format!("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{kind}"),
        "common_tls_context": {
            "tls_certificates": [{
                "certificate_chain": {"inline_string": own.pem},
                "private_key": {"inline_string": own.key},
            }],
            "validation_context": {"trusted_ca": {"inline_string": authority.pem}},
        },
    }});
    if require {
        socket["typed_config"]["require_client_certificate"] = json!(true);
    }
    socket
}

/// Of the provider's side: one caller is allowed, by its SPIFFE identity, and the log names it.
fn guard(inbound: &mut Value, authority: &Authority) {
    let own = authority.workload("pay", "provider");
    inbound["static_resources"]["listeners"][0]["filter_chains"][0]["transport_socket"] =
        socket("DownstreamTlsContext", authority, &own, true);
    let rules = format!("{HTTP_FILTERS}/0/typed_config/rules");
    let principal = json!({"authenticated": {"principal_name": {"exact": CALLER}}});
    let callers = json!({"permissions": [{"any": true}], "principals": [principal]});
    set(
        inbound,
        &rules,
        json!({"action": "ALLOW", "policies": {"callers": callers}}),
    );
    let log = "call %DOWNSTREAM_PEER_URI_SAN% %REQ(:PATH)% %RESPONSE_CODE%\n";
    set(inbound, LOG, json!(log));
}

/// Who calls is known, and a policy of the provider's side goes by it, whatever is inside of TLS and
/// whatever the application gets it by.
#[test]
fn in_mutual_tls_the_caller_is_known() {
    isolated(async || {
        let authority = Authority::new("mesh");
        let cases = [Between::Dubbo, Between::Http2]
            .into_iter()
            .flat_map(|between| WAYS.map(|way| (between, way)));
        for ((between, way), application) in cases.zip(20883..) {
            let provider = WireProvider::start(application, echo("provider")).await;
            let mut inbound = inbound(way, application);
            guard(&mut inbound, &authority);
            let inbound = envoy(&inbound).admin_port(15001).start().await;
            for (account, expected) in [
                ("caller", answered("Ann from provider")),
                ("stranger", ended(40, DENIED)),
            ] {
                let own = authority.workload("shop", account);
                let mut outbound = outbound(between);
                outbound["static_resources"]["clusters"][0]["transport_socket"] =
                    socket("UpstreamTlsContext", &authority, &own, false);
                let outbound = envoy(&outbound).start().await;
                let consumer = WireConsumer::connect(20880).await;
                let answer = consumer.call(&Call::new(GREETER, "greet", "Ann")).await;
                assert_eq!(answer, expected, "{between:?} {way:?} {account}");
                let handshakes = outbound.stat("cluster.v1.ssl.handshake").await.unwrap();
                assert_eq!(handshakes, 1, "{between:?} {way:?} {account}");
                outbound.stop().await;
            }
            assert_eq!(provider.seen().len(), 1, "{between:?} {way:?}");
            let of = |who: &str, code: u16| format!("call {who} /com.acme.Greeter/greet {code}");
            let stranger = CALLER.replace("caller", "stranger");
            assert_eq!(
                lines(&inbound, "call ", 2).await,
                [of(CALLER, 200), of(&stranger, 403)]
            );
            inbound.stop().await;
        }
    });
}
