use super::*;
use crate::making::{key, mesh, provider};
use crate::mesh::{Override, Pick};
use crate::ports::{self, PortList, PortRefused};
use crate::vip::Vips;
use crate::workload::{Rule, Workloads};
use pretty::pretty;

/// Renders `service` with these provider URLs, at the address that its host gets.
fn rendered(service: &str, urls: &[&str], mesh: &Mesh) -> Rendered {
    kept(service, urls, &Ports::new(), mesh)
}

fn kept(service: &str, urls: &[&str], kept_ports: &Ports, mesh: &Mesh) -> Rendered {
    let key = key(service);
    let host: Arc<str> = key.host().into();
    let mut vips = Vips::new(mesh.vips.clone());
    vips.insert(&host);
    let member = |url: &&str| {
        let provider = provider(url);
        let crate::provider::Host::Ip(ip) = provider.id.host else {
            panic!("{url}")
        };
        Member { provider, ip }
    };
    let mut members: Vec<Member> = urls.iter().map(member).collect();
    members.sort();
    let vip = vips.address(&host);
    render(
        Service {
            key: &key,
            host: &host,
            vip,
            members: &members,
            kept_ports,
        },
        mesh,
    )
}

/// An entry in few words.
mod pretty {
    use super::*;

    pub(super) fn pretty(rendered: &Rendered) -> Vec<String> {
        let mut lines = Vec::new();
        for object in rendered.entries.values() {
            let spec = &object.spec;
            let ports = spec
                .ports
                .iter()
                .map(|p| format!("{} {} {}", p.number, p.protocol, p.name));
            let ports = ports.collect::<Vec<_>>().join(", ");
            lines.push(format!(
                "{} {} [{ports}]",
                object.name,
                spec.hosts.join(",")
            ));
            for endpoint in &spec.endpoints {
                let numbers = endpoint.ports.iter().map(|(name, n)| format!("{name}={n}"));
                lines.push(format!(
                    "  {} {}",
                    endpoint.address,
                    numbers.collect::<Vec<_>>().join(" ")
                ));
            }
        }
        lines.extend(
            rendered
                .refused
                .iter()
                .map(|r| format!("no {}: {}", r.provider, r.reason.word())),
        );
        lines
    }
}

#[test]
fn one_provider_in_full() {
    let url = "dubbo://10.0.0.1:20880/com.acme.Orders?application=shop&dubbo.tag=gray&group=a/b\
               &interface=com.acme.Orders&revision=1.2&version=1.0.0&weight=50&zone=hz";
    let rendered = rendered("a/b/com.acme.Orders:1.0.0", &[], &mesh());
    assert_eq!(rendered, Rendered::default());

    let service = provider(url).id.service.clone();
    let host = service.host();
    let member = Member {
        provider: provider(url),
        ip: "10.0.0.1".parse().unwrap(),
    };
    let rendered = render(
        Service {
            key: &service,
            host: &host,
            vip: Some(Ipv4Addr::new(241, 1, 2, 3)),
            members: &[member],
            kept_ports: &Ports::new(),
        },
        &mesh(),
    );
    let strings = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let group = rendered.entries[&Protocol::Dubbo].spec.endpoints[0].labels["group"].clone();
    assert!(group.starts_with("a-b-") && group.len() == 12, "{group}");
    let expected = Object {
        namespace: "dubbo-mesh-services".into(),
        name: format!("{host}--dubbo").into(),
        labels: strings(&[("app.kubernetes.io/managed-by", "dubbo-mesh")]),
        annotations: strings(&[
            ("dubbo.apache.org/group", "a/b"),
            ("dubbo.apache.org/interface", "com.acme.Orders"),
            ("dubbo.apache.org/version", "1.0.0"),
        ]),
        spec: ServiceEntry {
            hosts: vec![host],
            addresses: vec!["241.1.2.3".into()],
            ports: vec![ServicePort {
                number: 20880,
                protocol: "TCP".into(),
                name: "tcp-dubbo-20880".into(),
                target_port: 0,
            }],
            location: 1,
            resolution: 1,
            endpoints: vec![WorkloadEntry {
                address: "10.0.0.1".into(),
                ports: BTreeMap::from([("tcp-dubbo-20880".into(), 20880)]),
                labels: strings(&[
                    ("application", "shop"),
                    ("group", &group),
                    ("protocol", "dubbo"),
                    ("revision", "1.2"),
                    ("tag", "gray"),
                    ("version", "1.0.0"),
                    ("zone", "hz"),
                ]),
                weight: 50,
                ..WorkloadEntry::default()
            }],
            ..ServiceEntry::default()
        },
    };
    assert_eq!(
        rendered.entries,
        BTreeMap::from([(Protocol::Dubbo, expected)])
    );
    assert_eq!(rendered.refused, []);
}

#[test]
fn each_protocol_has_an_entry_and_each_endpoint_maps_every_port_of_its_own() {
    let urls = [
        "dubbo://10.0.0.1:20880/com.acme.A",
        "dubbo://10.0.0.2:20881/com.acme.A",
        "dubbo://[2001:db8::1]:20880/com.acme.A",
        "tri://10.0.0.1:50051/com.acme.A",
    ];
    assert_eq!(
        pretty(&rendered("com.acme.A", &urls, &mesh())),
        [
            "com.acme.a.dubbo--dubbo com.acme.a.dubbo [20880 TCP tcp-dubbo-20880, 20881 TCP tcp-dubbo-20881]",
            "  10.0.0.1 tcp-dubbo-20880=20880 tcp-dubbo-20881=20880",
            "  10.0.0.2 tcp-dubbo-20880=20881 tcp-dubbo-20881=20881",
            "  2001:db8::1 tcp-dubbo-20880=20880 tcp-dubbo-20881=20880",
            "com.acme.a.dubbo--tri com.acme.a.dubbo [50051 GRPC grpc-tri-50051]",
            "  10.0.0.1 grpc-tri-50051=50051",
        ]
    );
}

#[test]
fn on_a_unified_port_dubbo_owns_the_number_and_tri_is_a_label() {
    // 3.1 and 3.2 register two nodes, 3.3 one with ext.protocol.
    let pair = [
        "dubbo://10.0.0.1:20880/com.acme.A",
        "tri://10.0.0.1:20880/com.acme.A",
    ];
    let single = ["dubbo://10.0.0.1:20880/com.acme.A?ext.protocol=tri"];
    let of_pair = rendered("com.acme.A", &pair, &mesh());
    assert_eq!(
        of_pair.entries,
        rendered("com.acme.A", &single, &mesh()).entries
    );
    assert_eq!(of_pair.refused, []);
    let endpoint = &of_pair.entries[&Protocol::Dubbo].spec.endpoints[0];
    assert_eq!(endpoint.labels["tri"], "true");
    let alone = [pair[0], "tri://10.0.0.2:20880/com.acme.A"];
    assert_eq!(
        pretty(&rendered("com.acme.A", &alone, &mesh()))[2..],
        ["no tri://10.0.0.2:20880/com.acme.A: port-taken"]
    );
}

#[test]
fn a_stray_entry_does_not_take_a_number_from_those_who_use_it() {
    let entry = |scheme: &str, ip: u8| format!("{scheme}://10.0.0.{ip}:50051/com.acme.A");
    let of = |urls: &[String]| {
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let rendered = rendered("com.acme.A", &urls, &mesh());
        let endpoints = |(protocol, object): (&Protocol, &Object<ServiceEntry>)| {
            (protocol.to_string(), object.spec.endpoints.len())
        };
        let entries: Vec<_> = rendered.entries.iter().map(endpoints).collect();
        (entries, rendered.refused.len())
    };
    let has = |protocol: &str, count| vec![(protocol.to_owned(), count)];
    let (tri, dubbo) = (|ip| entry("tri", ip), |ip| entry("dubbo", ip));
    assert_eq!(of(&[tri(1), tri(2), dubbo(9)]), (has("tri", 2), 1));
    assert_eq!(of(&[tri(1), dubbo(2), dubbo(9)]), (has("dubbo", 2), 1));
    // Of equals Dubbo, and where the number is unified.
    assert_eq!(of(&[tri(1), dubbo(9)]), (has("dubbo", 1), 1));
    assert_eq!(
        of(&[tri(1), tri(2), tri(3), dubbo(1)]),
        (has("dubbo", 1), 2)
    );
    // Who takes no calls has no say.
    let disabled = |ip| dubbo(ip) + "?disabled=true";
    assert_eq!(of(&[tri(1), disabled(8), disabled(9)]), (has("tri", 1), 2));
}

#[test]
fn a_scheme_spelled_like_a_label_does_not_become_one() {
    let url = "dubbo://10.0.0.1:20880/com.acme.A?ext.protocol=version&version=1";
    let rendered = rendered("com.acme.A:1", &[url], &mesh());
    assert_eq!(
        rendered.entries[&Protocol::Dubbo].spec.endpoints[0].labels["version"],
        "1"
    );
}

#[test]
fn what_is_left_out_is_named() {
    let urls = [
        "dubbo://10.0.0.1:20880/com.acme.A?weight=0",
        "dubbo://10.0.0.2:20880/com.acme.A?disabled=true",
        "dubbo://10.0.0.3:6379/com.acme.A",
        "dubbo://10.0.0.4:30000/com.acme.A",
        "thrift://10.0.0.5:20880/com.acme.A",
        "dubbo://10.0.0.6:20880/com.acme.A",
    ];
    assert_eq!(
        pretty(&rendered("com.acme.A", &urls, &mesh())),
        [
            "com.acme.a.dubbo--dubbo com.acme.a.dubbo [20880 TCP tcp-dubbo-20880]",
            "  10.0.0.6 tcp-dubbo-20880=20880",
            "no dubbo://10.0.0.1:20880/com.acme.A: takes-no-calls",
            "no dubbo://10.0.0.2:20880/com.acme.A: takes-no-calls",
            "no dubbo://10.0.0.3:6379/com.acme.A: port-well-known",
            "no dubbo://10.0.0.4:30000/com.acme.A: port-not-listed",
            "no thrift://10.0.0.5:20880/com.acme.A: scheme",
        ]
    );
    let refused = rendered("com.acme.A", &urls[3..4], &mesh()).refused;
    assert_eq!(
        refused[0].reason,
        Reason::Port(PortRefused::NotListed(30000))
    );
    assert!(
        refused[0]
            .to_string()
            .contains("add `30000` to ports.listen"),
        "{}",
        refused[0]
    );
}

#[test]
fn an_http2_port_is_shown_to_the_namespaces_of_its_list_and_carries_dubbo_only() {
    let http2 = |numbers: &str, namespace: &str| PortList {
        ports: vec![numbers.parse().unwrap()],
        namespaces: vec![namespace.into()],
        except: Vec::new(),
    };
    let lists = [http2("20880", "shop"), http2("20881", "pay")];
    let listen = ports::Ports::default_listen();
    let mesh = Mesh {
        ports: ports::Ports::new(listen, BTreeSet::new(), &lists).unwrap(),
        export_to: vec!["everyone".into()],
        ..mesh()
    };
    let urls = [
        "dubbo://10.0.0.1:20880/com.acme.A",
        "dubbo://10.0.0.1:20881/com.acme.A",
        "dubbo://10.0.0.1:20882/com.acme.A",
        "tri://10.0.0.1:50051/com.acme.A",
        "rest://10.0.0.1:20883/com.acme.A",
    ];
    let both = rendered("com.acme.A", &urls, &mesh);
    let ports = &both.entries[&Protocol::Dubbo].spec.ports;
    let protocols: Vec<_> = ports
        .iter()
        .map(|p| (p.number, p.protocol.as_str()))
        .collect();
    assert_eq!(
        protocols,
        [(20880, "HTTP2"), (20881, "HTTP2"), (20882, "TCP")]
    );
    for object in both.entries.values() {
        assert_eq!(object.spec.export_to, ["pay", "shop"], "{}", object.name);
    }
    let tcp = rendered("com.acme.A", &urls[2..], &mesh);
    assert_eq!(tcp.entries[&Protocol::Dubbo].spec.export_to, ["everyone"]);
    let tri = rendered("com.acme.A", &["tri://10.0.0.1:20880/com.acme.A"], &mesh);
    assert_eq!(
        pretty(&tri),
        ["no tri://10.0.0.1:20880/com.acme.A: http2-port"]
    );
}

#[test]
fn where_the_sdk_picks_a_call_is_routed_by_host_and_goes_where_it_was_dialled() {
    let list = PortList {
        ports: vec!["20880".parse().unwrap()],
        namespaces: vec!["shop".into()],
        except: Vec::new(),
    };
    let listen = ports::Ports::default_listen();
    let mut mesh = Mesh {
        ports: ports::Ports::new(listen, BTreeSet::new(), &[list]).unwrap(),
        overrides: vec![Override {
            interfaces: vec!["com.acme.A".into()],
            labels: BTreeMap::new(),
            export_to: None,
            tag_routes: None,
            pick: Some(Pick::Sdk),
        }],
        ..mesh()
    };
    let urls = [
        "dubbo://10.0.0.1:20880/com.acme.A",
        "dubbo://10.0.0.2:20880/com.acme.A?dubbo.tag=gray",
        "dubbo://10.0.0.1:20881/com.acme.A",
        "tri://10.0.0.1:50051/com.acme.A",
    ];
    let picked = rendered("com.acme.A", &urls, &mesh);
    assert_eq!(
        pretty(&picked),
        [
            "com.acme.a.dubbo--dubbo com.acme.a.dubbo [20880 HTTP2 http2-dubbo-20880]",
            "no dubbo://10.0.0.1:20881/com.acme.A: sdk-picks",
            "no tri://10.0.0.1:50051/com.acme.A: sdk-picks",
        ]
    );
    let spec = &picked.entries[&Protocol::Dubbo].spec;
    assert_eq!(spec.resolution(), Resolution::None);
    assert_eq!(spec.addresses, [""; 0]);
    assert_eq!(spec.export_to, ["shop"]);
    assert!(picked.refused.iter().all(|r| !r.reason.is_fault()));

    // Providers gone, the port is kept: calls still go where they are dialled.
    let kept_ports = Ports::from([(Protocol::Dubbo, BTreeSet::from([20880, 20881]))]);
    let empty = kept("com.acme.A", &[], &kept_ports, &mesh);
    assert_eq!(empty.entries, picked.entries);

    // Elsewhere, and for others, nothing is different.
    let plain = Mesh {
        overrides: Vec::new(),
        ..mesh.clone()
    };
    let tcp = &urls[2..];
    assert_eq!(
        rendered("com.acme.A", tcp, &mesh),
        rendered("com.acme.A", tcp, &plain)
    );
    let other = ["dubbo://10.0.0.1:20880/com.acme.B"];
    assert_eq!(
        rendered("com.acme.B", &other, &mesh),
        rendered("com.acme.B", &other, &plain)
    );
    mesh.overrides[0].pick = Some(Pick::Mesh);
    assert_eq!(
        rendered("com.acme.A", &urls, &mesh),
        rendered("com.acme.A", &urls, &plain)
    );
}

#[test]
fn workload_facts_and_overrides_are_applied() {
    let rule = Rule {
        cidrs: vec!["10.0.0.0/24".parse().unwrap()],
        applications: vec![],
        in_mesh: Some(true),
        locality: Some("hz/b".into()),
        identity: None,
        network: None,
    };
    let other = |labels: &[(&str, &str)], export_to: Option<&str>| Override {
        interfaces: vec!["com.acme.*".into()],
        labels: labels
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
        export_to: export_to.map(|namespace| vec![namespace.into()]),
        tag_routes: None,
        pick: None,
    };
    let mesh = Mesh {
        workloads: Workloads::new(vec![rule]),
        overrides: vec![
            other(&[("team", "a")], Some("a")),
            other(&[("team", "b")], None),
        ],
        ..mesh()
    };
    let urls = [
        "dubbo://10.0.0.1:20880/com.acme.A",
        "dubbo://10.0.1.1:20880/com.acme.A",
    ];
    let rendered = rendered("com.acme.A", &urls, &mesh);
    let object = &rendered.entries[&Protocol::Dubbo];
    assert_eq!(object.labels["team"], "b");
    assert_eq!(object.spec.export_to, ["a"]);
    let facts = |i: usize| {
        let endpoint = &object.spec.endpoints[i];
        (
            endpoint.locality.as_str(),
            endpoint.labels.get(TLS_MODE).map(String::as_str),
        )
    };
    assert_eq!(facts(0), ("hz/b", Some("istio")));
    assert_eq!(facts(1), ("", None));
}

#[test]
fn a_kept_port_stays_unless_another_protocol_uses_it() {
    let kept_ports = Ports::from([(Protocol::Dubbo, BTreeSet::from([20880, 20881]))]);
    let none = kept("com.acme.A", &[], &kept_ports, &mesh());
    assert_eq!(
        pretty(&none),
        [
            "com.acme.a.dubbo--dubbo com.acme.a.dubbo [20880 TCP tcp-dubbo-20880, 20881 TCP tcp-dubbo-20881]"
        ]
    );
    assert_eq!(none.ports, Ports::new());
    let tri = kept(
        "com.acme.A",
        &["tri://10.0.0.1:20880/com.acme.A"],
        &kept_ports,
        &mesh(),
    );
    assert_eq!(
        pretty(&tri),
        [
            "com.acme.a.dubbo--dubbo com.acme.a.dubbo [20881 TCP tcp-dubbo-20881]",
            "com.acme.a.dubbo--tri com.acme.a.dubbo [20880 GRPC grpc-tri-20880]",
            "  10.0.0.1 grpc-tri-20880=20880",
        ]
    );
}

#[test]
fn one_address_is_one_endpoint_by_however_many_paths() {
    let urls = [
        "dubbo://10.0.0.1:20880/com.acme.A",
        "dubbo://10.0.0.1:20880/alias?interface=com.acme.A",
    ];
    let rendered = rendered("com.acme.A", &urls, &mesh());
    assert_eq!(rendered.entries[&Protocol::Dubbo].spec.endpoints.len(), 1);
    assert_eq!(rendered.refused, []);
}

#[test]
fn without_an_address_tcp_is_refused_and_triple_is_not() {
    let key = key("com.acme.A");
    let member = |url| Member {
        provider: provider(url),
        ip: "10.0.0.1".parse().unwrap(),
    };
    let members = [
        member("dubbo://10.0.0.1:20880/com.acme.A"),
        member("tri://10.0.0.1:50051/com.acme.A"),
    ];
    let service = Service {
        key: &key,
        host: "com.acme.a.dubbo",
        vip: None,
        members: &members,
        kept_ports: &Ports::new(),
    };
    assert_eq!(
        pretty(&render(service, &mesh())),
        [
            "com.acme.a.dubbo--tri com.acme.a.dubbo [50051 GRPC grpc-tri-50051]",
            "  10.0.0.1 grpc-tri-50051=50051",
            "no dubbo://10.0.0.1:20880/com.acme.A: no-address",
        ]
    );
}

/// Without an address of its own a TCP port would listen on `0.0.0.0` in every sidecar and take the
/// connections of all others.
#[test]
fn a_service_that_lost_its_address_keeps_no_tcp_port() {
    let http2 = PortList {
        ports: vec!["20889".parse().unwrap()],
        namespaces: vec!["shop".into()],
        except: Vec::new(),
    };
    let listen = ports::Ports::default_listen();
    let mesh = Mesh {
        ports: ports::Ports::new(listen, BTreeSet::new(), &[http2]).unwrap(),
        ..mesh()
    };
    let kept_ports = Ports::from([
        (Protocol::Dubbo, BTreeSet::from([20880, 20889])),
        (Protocol::Tri, BTreeSet::from([50051])),
    ]);
    let service = Service {
        key: &key("com.acme.A"),
        host: "com.acme.a.dubbo",
        vip: None,
        members: &[],
        kept_ports: &kept_ports,
    };
    assert_eq!(
        pretty(&render(service, &mesh)),
        [
            "com.acme.a.dubbo--dubbo com.acme.a.dubbo [20889 HTTP2 http2-dubbo-20889]",
            "com.acme.a.dubbo--tri com.acme.a.dubbo [50051 GRPC grpc-tri-50051]",
        ]
    );
}

/// The names of all providers whose certificates are asked for, in the entries of all protocols.
#[test]
fn a_service_has_the_identities_of_its_providers_if_all_are_known() {
    let rule = |ip: &str, in_mesh, identity: Option<&str>| Rule {
        cidrs: vec![ip.parse().unwrap()],
        applications: vec![],
        in_mesh,
        locality: None,
        identity: identity.map(Into::into),
        network: None,
    };
    let names = |rules: Vec<Rule>| {
        let mesh = Mesh {
            workloads: Workloads::new(rules),
            ..mesh()
        };
        let urls = [
            "dubbo://10.0.0.1:20880/com.acme.A",
            "tri://10.0.0.2:50051/com.acme.A",
        ];
        let rendered = rendered("com.acme.A", &urls, &mesh);
        let names = [Protocol::Dubbo, Protocol::Tri]
            .map(|protocol| rendered.entries[&protocol].spec.subject_alt_names.clone());
        assert_eq!(names[0], names[1]);
        let unknown = rendered.unidentified.iter().map(ToString::to_string);
        (names[0].clone(), unknown.collect::<Vec<_>>())
    };
    let (a, b) = ("spiffe://td/ns/pay/sa/a", "spiffe://td/ns/shop/sa/b");
    let (one, two) = ("10.0.0.1/32", "10.0.0.2/32");
    let yes = Some(true);
    let said = |names: &[&str], unknown: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        (owned(names), owned(unknown))
    };
    let second = "tri://10.0.0.2:50051/com.acme.A";
    let both = vec![rule(one, yes, Some(b)), rule(two, yes, Some(a))];
    assert_eq!(names(both), said(&[a, b], &[]));
    let same = vec![rule("10.0.0.0/24", yes, Some(a))];
    assert_eq!(names(same), said(&[a], &[]));
    let other_unknown = vec![rule(one, yes, Some(a)), rule(two, yes, None)];
    assert_eq!(names(other_unknown), said(&[], &[second]));
    let other_outside = vec![rule(one, yes, Some(a)), rule(two, Some(false), Some(b))];
    assert_eq!(names(other_outside), said(&[a], &[]));
    assert_eq!(names(vec![rule(one, None, Some(a))]), said(&[], &[]));
    // Rules that speak of others forgot this service; where none speaks of identities, nobody asked.
    let elsewhere = vec![rule(two, yes, None), rule("10.9.9.9/32", yes, Some(a))];
    assert_eq!(names(elsewhere), said(&[], &[second]));
    assert_eq!(names(vec![rule(two, yes, None)]), said(&[], &[]));
}

/// Envoy refuses endpoints whose weights add up to more than 32 bits can hold.
#[test]
fn the_weights_of_any_number_of_endpoints_fit_32_bits() {
    let urls: Vec<String> = (0..5000)
        .map(|n| {
            let (a, b) = (n / 250, n % 250);
            format!("dubbo://10.0.{a}.{b}:20880/com.acme.A?weight=2000000000")
        })
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let sum = |urls: &[&str]| -> u64 {
        let rendered = rendered("com.acme.A", urls, &mesh());
        let endpoints = &rendered.entries[&Protocol::Dubbo].spec.endpoints;
        assert_eq!(endpoints.len(), urls.len());
        endpoints.iter().map(|e| u64::from(e.weight)).sum()
    };
    assert_eq!(sum(&urls[..4000]), 4_000_000_000);
    assert!(sum(&urls) <= u64::from(u32::MAX));
}
