//! Each rule of istiod broken once. The expectation is istiod's: the comment names the function of
//! `pkg/config/validation` that refuses it.

use super::*;
use crate::proto::Location;
use std::collections::BTreeMap;

fn port(number: u32, protocol: &str, name: &str) -> ServicePort {
    ServicePort {
        number,
        protocol: protocol.into(),
        name: name.into(),
        target_port: 0,
    }
}

fn endpoint(address: &str) -> WorkloadEntry {
    WorkloadEntry {
        address: address.into(),
        ports: BTreeMap::from([("tcp-dubbo-20880".into(), 20880)]),
        labels: BTreeMap::from([("version".into(), "1.0.0".into())]),
        ..WorkloadEntry::default()
    }
}

/// What istiod takes.
fn good() -> ServiceEntry {
    ServiceEntry {
        hosts: vec!["v1-0-0.com.acme.orders.dubbo".into()],
        addresses: vec!["241.1.2.3".into()],
        ports: vec![
            port(20880, "TCP", "tcp-dubbo-20880"),
            port(50051, "GRPC", "grpc-tri-50051"),
        ],
        location: Location::MeshInternal.into(),
        resolution: Resolution::Static.into(),
        endpoints: vec![endpoint("10.0.0.1"), endpoint("2001:db8::1")],
        export_to: vec!["shop".into(), ".".into()],
        subject_alt_names: vec![],
    }
}

fn own(rule: Rule) -> Vec<Violation> {
    vec![Violation {
        endpoint: None,
        rule,
    }]
}

fn of_second(rule: Rule) -> Vec<Violation> {
    vec![Violation {
        endpoint: Some(1),
        rule,
    }]
}

fn broken(breaking: impl FnOnce(&mut ServiceEntry)) -> Vec<Violation> {
    let mut entry = good();
    breaking(&mut entry);
    violations(&entry)
}

#[test]
fn a_good_entry_breaks_no_rule() {
    assert_eq!(violations(&good()), []);
    assert_eq!(broken(|e| e.endpoints.clear()), []);
    assert_eq!(
        broken(|e| e.endpoints[0].address = "unix:///run/dubbo.sock".into()),
        []
    );
    assert_eq!(broken(|e| e.hosts = vec!["*.com.acme.dubbo".into()]), []);
}

#[test]
fn rules_for_hosts() {
    // ValidateServiceEntry
    assert_eq!(broken(|e| e.hosts.clear()), own(Rule::NoHost));
    let long_label = format!("{}.dubbo", "a".repeat(64));
    let long = vec!["a"; 129].join(".");
    // ValidateWildcardDomain, checkDNS1123Preconditions, validateDNS1123Labels
    for host in [
        "*",
        "",
        "com.acme.Out$er.dubbo",
        "a_b.dubbo",
        "a..dubbo",
        "com.acme.1",
        "-a.dubbo",
        "a-.dubbo",
        &long_label,
        &long,
    ] {
        assert_eq!(
            broken(|e| e.hosts = vec![host.into()]),
            own(Rule::Host(host.into())),
            "{host}"
        );
    }
    let two = |e: &mut ServiceEntry| e.hosts = vec!["a.dubbo".into(), "b.dubbo".into()];
    assert_eq!(broken(two), own(Rule::SeveralHosts));
}

#[test]
fn rules_for_addresses() {
    assert_eq!(
        broken(|e| e.addresses = vec!["10.0.0".into()]),
        own(Rule::Address("10.0.0".into()))
    );
    let dns = |e: &mut ServiceEntry| {
        e.addresses = vec!["10.0.0.0/8".into()];
        e.resolution = Resolution::Dns.into();
    };
    assert_eq!(broken(dns), own(Rule::CidrNeedsStatic("10.0.0.0/8".into())));
}

#[test]
fn rules_for_ports() {
    // ValidatePort
    for number in [0, 65536] {
        assert_eq!(
            broken(|e| e.ports[1].number = number),
            own(Rule::PortNumber(number))
        );
    }
    assert_eq!(
        broken(|e| e.ports[1].target_port = 65536),
        own(Rule::TargetPort(65536))
    );
    assert_eq!(
        broken(|e| e.ports[1].number = 20880),
        own(Rule::PortNumberTwice(20880))
    );
    // ValidatePortName
    for name in ["", "grpc.tri", "-grpc", &"x".repeat(64)] {
        assert_eq!(
            broken(|e| e.ports[1].name = name.into()),
            own(Rule::PortName(name.into()))
        );
    }
    let twice = "tcp-dubbo-20880".to_owned();
    assert_eq!(
        broken(|e| e.ports[1].name = twice.clone()),
        own(Rule::PortNameTwice(twice))
    );
    // ValidateProtocol
    for protocol in ["dubbo", "tri", "triple", "thrift", "tcp-dubbo", "h2c"] {
        let rule = Rule::PortProtocol(protocol.into());
        assert_eq!(broken(|e| e.ports[1].protocol = protocol.into()), own(rule));
    }
}

#[test]
fn rules_for_resolution() {
    assert_eq!(
        broken(|e| e.resolution = 0),
        own(Rule::EndpointsWithoutResolution)
    );
    let wild = |e: &mut ServiceEntry| {
        e.hosts = vec!["*.dubbo".into()];
        e.resolution = Resolution::Dns.into();
        e.endpoints.clear();
    };
    assert_eq!(
        broken(wild),
        own(Rule::WildcardNeedsEndpoints("*.dubbo".into()))
    );
    let robin = |e: &mut ServiceEntry| e.resolution = Resolution::DnsRoundRobin.into();
    assert_eq!(broken(robin), own(Rule::SeveralRoundRobin(2)));
}

#[test]
fn rules_for_endpoints() {
    // validateWorkloadEntry
    for address in [
        "",
        "provider.example",
        "[2001:db8::1]",
        "10.0.0.1:20880",
        "10.0.0.300",
    ] {
        let rule = Rule::EndpointAddress(address.into());
        assert_eq!(
            broken(|e| e.endpoints[1].address = address.into()),
            of_second(rule)
        );
    }
    let dns = broken(|e| {
        e.resolution = Resolution::Dns.into();
        e.endpoints[1].address = "a_b".into();
    });
    assert_eq!(dns, of_second(Rule::EndpointName("a_b".into())));
    let unknown = |e: &mut ServiceEntry| {
        e.endpoints[1].ports = BTreeMap::from([("dubbo".into(), 20880)]);
    };
    assert_eq!(
        broken(unknown),
        of_second(Rule::EndpointPortName("dubbo".into()))
    );
    for number in [0, 65536] {
        let set = |e: &mut ServiceEntry| {
            e.endpoints[1].ports = BTreeMap::from([("tcp-dubbo-20880".into(), number)]);
        };
        assert_eq!(broken(set), of_second(Rule::EndpointPort(number)));
    }
    // labels.Instance.Validate
    for key in ["", "a/b/c", "-a", "a b", &"x".repeat(64)] {
        let set = |e: &mut ServiceEntry| drop(e.endpoints[1].labels.insert(key.into(), "v".into()));
        assert_eq!(broken(set), of_second(Rule::LabelKey(key.into())), "{key}");
    }
    for value in ["a,b", "-a", "a/b", "组", "a b"] {
        let set =
            |e: &mut ServiceEntry| drop(e.endpoints[1].labels.insert("k".into(), value.into()));
        assert_eq!(
            broken(set),
            of_second(Rule::LabelValue(value.into())),
            "{value}"
        );
    }
}

#[test]
fn rules_for_export_to() {
    // validateExportTo
    for list in [
        &["a", "a"][..],
        &["*", "a"],
        &["a", "~"],
        &["Not_A_Namespace"],
    ] {
        let found = broken(|e| e.export_to = list.iter().map(|n| (*n).into()).collect());
        assert!(
            matches!(
                &found[..],
                [Violation {
                    endpoint: None,
                    rule: Rule::ExportTo(_)
                }]
            ),
            "{list:?} {found:?}"
        );
    }
    for list in [&["*"][..], &["~"], &["."], &["a", "b"]] {
        assert_eq!(
            broken(|e| e.export_to = list.iter().map(|n| (*n).into()).collect()),
            []
        );
    }
}
