//! A service that nothing but ZooKeeper knows is callable from its first millisecond, and while the mesh
//! comes to know it.

use support::{DubboVersion, Namespace, ProviderSettings, Service, Signal};

use super::super::becomes;
use super::access::{clusters, end};
use super::stage::{INTERFACE, Stage, registry};

/// Calls that go by the cluster of the service before the callers may stop.
const ROUTED: usize = 200;

/// Consumers of all versions call from before there is a provider until the mesh routes them; it stands
/// still until they were answered without it.
pub(super) async fn is_callable_at_once(stage: &mut Stage) {
    let [_, _, filtered] = &mut stage.callers;
    let name = filtered.name;
    let settings = [
        ("group", "fresh".to_owned()),
        ("check", "false".to_owned()),
        ("timeout", "20000".to_owned()),
        ("rush", "yes".to_owned()),
    ];
    for version in DubboVersion::ALL {
        filtered.consumer(version).rush(&settings);
    }
    stage.mesh.process().signal(Signal::STOP);
    let since = end();
    let network = Namespace::new("fresh", 21);
    let _provider = ProviderSettings::new(DubboVersion::V2_7, registry())
        .named("fresh")
        .protocol("dubbo", 20880)
        .service(Service::new(INTERFACE).set("group", "fresh"))
        .inside(&network)
        .start()
        .await;
    let address = (network.address(), 20880).into();
    let carried = |cluster: &str| {
        let all = clusters(since, name, address);
        all.into_iter().filter(|one| one == cluster).count()
    };
    becomes(
        "calls reach the address that was dialled",
        true,
        async || Ok(carried("dubbo-original-dst") > ROUTED),
    )
    .await;
    let routed = "outbound|20880||g-fresh.com.acme.sampler.dubbo";
    assert_eq!(carried(routed), 0);
    stage.mesh.process().signal(Signal::CONT);
    becomes("calls go by the service", true, async || {
        Ok(carried(routed) > ROUTED)
    })
    .await;
    for version in DubboVersion::ALL {
        let told = filtered.consumer(version).enough().await;
        let (answered, rest) = told.split_once(' ').unwrap();
        let answered: u32 = answered.strip_prefix("answered=").unwrap().parse().unwrap();
        assert!(answered > 0, "{version:?}: {told}");
        let after = rest.strip_prefix("before=[no provider] after=").unwrap();
        assert_eq!(after, "{}", "{version:?}");
    }
}
