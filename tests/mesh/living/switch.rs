//! Ports that are switched, and the filter put in and taken out, while calls run.

use std::net::SocketAddr;

use support::{Call, DubboVersion, WireConsumer, isolated};

use super::super::becomes;
use super::{Caller, DIALLED, Living, PASSED, ROUTED, assert_none_lost, meanwhile, rounds};

const TCP: &str = "{}\n";
const HTTP2: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop]}]}
filter: {options: {drain_ms: 4000}}
";
const BYPASS: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop]}]}
filter: {options: {drain_ms: 4000}, bypass: [{ports: [20880], namespaces: [shop]}]}
";
/// As BYPASS, when the port is switched back.
const LEAVING: &str =
    "filter: {options: {drain_ms: 4000}, bypass: [{ports: [20880], namespaces: [shop]}]}\n";
const OBSERVE: &str = "filter: {observe: [{ports: [20880], namespaces: [shop]}]}\n";
const OBSERVE_AND_ROUTE: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop]}]}
filter: {options: {drain_ms: 8000}, observe: [{ports: [20880], namespaces: [shop]}]}
";
/// No connections are to be closed when the drain time is over: of chains that were exchanged, or of listeners.
const NOTHING_DRAINS: &str = "listener_manager.total_filter_chains_draining: 0\n";
const NO_LISTENER_DRAINS: &str = "listener_manager.total_listeners_draining: 0\n";

async fn callers(mesh: &Living) -> Vec<Caller> {
    let mut callers = Vec::new();
    for version in [DubboVersion::V2_6, DubboVersion::V2_7, DubboVersion::V3_3] {
        callers.push(mesh.caller(version).await);
    }
    callers
}

/// Connections that close cost a caller what its SDK loses until it has connected anew: a second or two
/// in which it does not call where it did. Then all is well.
fn assert_few_lost(callers: &mut [Caller]) {
    for caller in callers {
        let (lost, all) = (caller.lost(), caller.answers.len());
        assert!(lost.len() <= 40 && lost.len() < all, "{lost:?}");
        caller.answers.clear();
    }
}

/// Waits until each is answered four times running, and so by both providers: it has connected anew.
async fn recovered(callers: &mut [Caller]) {
    for caller in callers {
        becomes("its calls are answered again", true, async || {
            rounds(std::slice::from_mut(caller), 4).await;
            let lost = caller.lost();
            caller.answers.clear();
            Ok(lost.is_empty())
        })
        .await;
    }
}

/// The first steps of a trial: calls pass as they did, and are counted; then the port is routed, and they
/// still do.
#[test]
fn observed_calls_pass_as_they_did() {
    isolated(async || {
        let mut mesh = Living::start(OBSERVE).await;
        let mut calling = callers(&mesh).await;
        rounds(&mut calling, 5).await;
        let counted = "dynamicmodulescustom.dubbo.requests.two_way";
        assert_eq!(mesh.stats([counted, ROUTED]).await, [15, 0]);

        // What passes is not touched by the routes, and who connects from now on is counted there.
        let passing = wire(&mesh);
        assert_eq!(greeted(&passing).await, Ok(20));
        let [passed] = mesh.stats([PASSED]).await;
        meanwhile(&mut calling, async {
            mesh.configure(OBSERVE_AND_ROUTE).await;
            mesh.page_has("/config_dump", "dubbo_sniff", true).await;
        })
        .await;
        assert_none_lost(&calling);
        let [before] = mesh.stats([counted]).await;
        let routed = wire(&mesh);
        assert_eq!(greeted(&routed).await, Ok(20));
        rounds(&mut calling, 3).await;
        assert_none_lost(&calling);
        let now = [before + 10, 1, passed];
        assert_eq!(mesh.stats([counted, ROUTED, PASSED]).await, now);
        mesh.page_has("/stats", NOTHING_DRAINS, true).await;
        drop(routed);

        // What it would mean to end that: all that passes is closed when the drain time is over.
        meanwhile(&mut calling, async {
            mesh.configure(TCP).await;
            mesh.page_has("/config_dump", "dubbo_observe", false).await;
            mesh.page_has("/stats", NOTHING_DRAINS, true).await;
        })
        .await;
        assert_few_lost(&mut calling);
        recovered(&mut calling).await;
        rounds(&mut calling, 3).await;
        assert_none_lost(&calling);
    });
}

/// Of whom it is known when its connection ends.
fn wire(mesh: &Living) -> WireConsumer {
    WireConsumer::connect_from(&mesh.pod, SocketAddr::from(([10, 77, 0, 2], 20880)))
}

/// The status of the answer.
async fn greeted(consumer: &WireConsumer) -> Result<u8, String> {
    let call = Call::new("com.acme.Greeter", "greet", "World");
    consumer.call(&call).await.map(|answer| answer.status)
}

#[test]
fn a_port_is_switched_there_and_back_and_no_call_is_lost() {
    isolated(async || {
        let mut mesh = Living::start(TCP).await;
        let mut calling = callers(&mesh).await;
        rounds(&mut calling, 3).await;
        let [passed] = mesh.stats([PASSED]).await;
        assert!(passed >= 3, "{passed}");

        // There: who is connected goes on as before, who connects is routed.
        meanwhile(&mut calling, async {
            mesh.configure(HTTP2).await;
            mesh.page_has("/config_dump", "dubbo_sniff", true).await;
        })
        .await;
        let [routed] = mesh.stats([ROUTED]).await;
        rounds(&mut calling, 3).await;
        assert_eq!(mesh.stats([ROUTED]).await, [routed]);
        let mut newcomers = callers(&mesh).await;
        rounds(&mut newcomers, 3).await;
        assert_eq!(mesh.stats([ROUTED, DIALLED]).await, [routed + 9, 0]);
        calling.append(&mut newcomers);

        // Back: at once, for connections that are open too.
        meanwhile(&mut calling, async {
            mesh.configure(BYPASS).await;
            mesh.page_has("/config_dump", "dubbo-bypass", true).await;
        })
        .await;
        let [routed, dialled] = mesh.stats([ROUTED, DIALLED]).await;
        rounds(&mut calling, 3).await;
        let expected = [routed, dialled + 9];
        assert_eq!(mesh.stats([ROUTED, DIALLED]).await, expected);
        assert_none_lost(&calling);

        // Out: connections without calls are closed when the drain time is over, and made anew: by 2.7 in the
        // next call; the others fail some calls before.
        let mut idle = calling.split_off(3);
        mesh.configure(LEAVING).await;
        mesh.page_has("/listeners", "0.0.0.0_20880", false).await;
        mesh.page_has("/stats", NO_LISTENER_DRAINS, true).await;
        let [passed] = mesh.stats([PASSED]).await;
        rounds(&mut idle[1..2], 1).await;
        assert_none_lost(&idle);
        recovered(&mut idle).await;
        rounds(&mut calling, 3).await;
        assert_none_lost(&calling);
        let [now] = mesh.stats([PASSED]).await;
        assert!(now >= passed + 3, "{passed}, {now}");
        assert_eq!(mesh.stats([ROUTED, DIALLED]).await, expected);
    });
}
