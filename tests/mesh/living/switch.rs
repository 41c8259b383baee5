//! Ports that are switched, and the filter put in and taken out, while calls run.

use support::{DubboVersion, isolated};

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
const OBSERVE: &str = "filter: {observe: [{ports: [20880], namespaces: [shop]}]}\n";

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

/// The first step of a trial: calls pass as they did, and are counted.
#[test]
fn observed_calls_pass_as_they_did() {
    isolated(async || {
        let mut mesh = Living::start(OBSERVE).await;
        let mut calling = callers(&mesh).await;
        rounds(&mut calling, 5).await;
        assert_none_lost(&calling);
        let counted = "dynamicmodulescustom.dubbo.requests.two_way";
        assert_eq!(mesh.stats([counted, ROUTED]).await, [15, 0]);
        // What it would mean to end that: the listener of all that passes is another one.
        meanwhile(&mut calling, async {
            mesh.configure(TCP).await;
            mesh.page_has("/config_dump", "dubbo_observe", false).await;
            let draining = "listener_manager.total_filter_chains_draining: 0\n";
            mesh.page_has("/stats", draining, true).await;
        })
        .await;
        assert_few_lost(&mut calling);
        recovered(&mut calling).await;
        rounds(&mut calling, 3).await;
        assert_none_lost(&calling);
    });
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
    });
}
