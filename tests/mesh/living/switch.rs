//! Ports that are switched, and the filter put in and taken out, while calls run.

use support::{DubboVersion, isolated};

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
const LEAVING: &str = "
filter: {options: {drain_ms: 4000}, bypass: [{ports: [20880], namespaces: [shop]}]}
";
const LISTENER: &str = "0.0.0.0_20880";

async fn callers(mesh: &Living) -> Vec<Caller> {
    let mut callers = Vec::new();
    for version in [DubboVersion::V2_6, DubboVersion::V2_7, DubboVersion::V3_3] {
        callers.push(mesh.caller(version).await);
    }
    callers
}

async fn drained(mesh: &Living) {
    mesh.page_has("/listeners", LISTENER, false).await;
    let draining = "listener_manager.total_listeners_draining: 0\n";
    mesh.page_has("/stats", draining, true).await;
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

        // The listener goes, and its connections with it, one after another: who loses how much depends
        // on how the SDK connects anew.
        calling.iter_mut().for_each(|caller| caller.answers.clear());
        meanwhile(&mut calling, async {
            mesh.configure(LEAVING).await;
            drained(&mesh).await;
        })
        .await;
        for caller in &mut calling {
            let (version, lost) = (caller.version.number(), caller.lost());
            eprintln!("{version}: {} lost of {}", lost.len(), caller.answers.len());
            eprintln!("  {:?}", lost.first());
            caller.answers.clear();
        }
        meanwhile(&mut calling, async {
            mesh.configure(TCP).await;
            mesh.page_has("/config_dump", "dubbo-original-dst", false)
                .await;
        })
        .await;
        let routed = mesh.stats([ROUTED]).await;
        rounds(&mut calling, 3).await;
        assert_eq!(mesh.stats([ROUTED]).await, routed);
        assert_none_lost(&calling);
    });
}
