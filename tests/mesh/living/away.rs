//! Parts that are away for long: calls go on, and what changed meanwhile is made good.

use support::{DubboVersion, IstiodSettings, isolated, without_certificates};

use super::super::{SOURCE, becomes};
use super::{Living, OUTBOUND, ROUTED, assert_none_lost, meanwhile, provider, rounds, serving};

const HTTP2: &str = "
ports: {http2: [{ports: [20880], namespaces: [shop]}]}
filter: {}
";

fn addresses(hosts: &[u8]) -> Vec<String> {
    let address = |host: &u8| format!("10.77.0.{host}:20880");
    hosts.iter().map(address).collect()
}

#[test]
fn calls_go_on_while_dubbo_mesh_and_istiod_are_away() {
    isolated(async || {
        let mut mesh = Living::start(HTTP2).await;
        let mut calling = vec![mesh.caller(DubboVersion::V2_7).await];
        calling.push(mesh.caller(DubboVersion::V3_3).await);
        rounds(&mut calling, 3).await;

        // Without dubbo-mesh: istiod keeps what it has, through the end of one provider and the
        // beginning of another.
        let away = mesh.mesh.take().unwrap();
        drop(away);
        let three = provider("three", DubboVersion::V2_7, 4).await;
        mesh.providers.push(three);
        rounds(&mut calling, 10).await;
        let there = mesh.envoy.endpoints(OUTBOUND).await;
        assert_eq!(there, Ok(addresses(&[2, 3])));

        // istiod that starts without its source ends, and the sidecars keep what they have.
        mesh.istiod.stop().await;
        let alone = IstiodSettings::new(&[SOURCE]).kubernetes(without_certificates());
        let mut alone = alone.launch().await;
        assert!(!alone.wait_for_end().await.success());
        let log = alone.process().log();
        assert!(log.contains("failed running"), "{log}");
        let [routed] = mesh.stats([ROUTED]).await;
        rounds(&mut calling, 10).await;
        let now = mesh.stats([ROUTED]).await;
        assert_eq!(now, [routed + 20]);

        // Both are back, and with them what has changed.
        let zookeeper = &mesh.zookeeper;
        let again = meanwhile(&mut calling, async {
            let again = serving(zookeeper, HTTP2).await;
            let settings = IstiodSettings::new(&[SOURCE]).kubernetes(without_certificates());
            let istiod = settings.start().await;
            let all = addresses(&[2, 3, 4]);
            becomes("the new provider", all, async || {
                mesh.envoy.endpoints(OUTBOUND).await
            })
            .await;
            (again, istiod)
        })
        .await;
        rounds(&mut calling, 5).await;
        assert_none_lost(&calling);

        // A provider that leaves while dubbo-mesh is away goes with its return.
        drop(again.0);
        mesh.providers.pop().unwrap().stop().await;
        let _back = serving(&mesh.zookeeper, HTTP2).await;
        becomes("it is gone", addresses(&[2, 3]), async || {
            mesh.envoy.endpoints(OUTBOUND).await
        })
        .await;
        let before = mesh.stats([ROUTED]).await[0];
        rounds(&mut calling, 5).await;
        assert_eq!(mesh.stats([ROUTED]).await, [before + 10]);
        assert_none_lost(&calling);
        drop(again.1);
    });
}
