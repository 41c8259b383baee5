use super::*;
use dubbo_registry::ports::{Mode, PortRefused};

fn read(text: &str) -> Config {
    Config::from_text(text).unwrap()
}

fn error(text: &str) -> String {
    Config::from_text(text).unwrap_err().0
}

#[test]
fn an_empty_file_is_the_default() {
    for text in ["", "\n", "{}", "# nothing\n"] {
        let config = read(text);
        assert_eq!(config.mesh, Config::defaults().unwrap().mesh);
        assert_eq!(config.listen.address.to_string(), "127.0.0.1:18848");
        assert_eq!(
            config.host_names,
            HostNames::Resolve(Duration::from_secs(30))
        );
        assert_eq!(config.removal.delay, Duration::from_secs(1));
    }
}

#[test]
fn every_field_is_read() {
    let config = read(
        r#"
registries:
  - zookeeper://zk1:2181,zk2:2181/dubbo
  - file:/etc/dubbo-mesh/providers.yaml
listen:
  address: 0.0.0.0:18848
  tls: {certificate: /tls/tls.crt, key: /tls/tls.key}
  clients: [10.0.0.0/8]
admin: 0.0.0.0:9100
namespace: dubbo
ports:
  listen: [20880-20899, 30000]
  wellKnown: [8080]
  http2:
    - ports: [20880]
      namespaces: [shop, pay]
vips:
  cidr: 242.0.0.0/16
  pins: {com.acme.a.dubbo: 242.0.0.1}
schemes: {thrift: TCP, rest: HTTP2}
labels: [revision, idc]
workloads:
  - cidrs: [10.0.0.0/16, 10.1.2.3]
    applications: [shop-*]
    inMesh: true
    locality: hz/b
    identity: spiffe://cluster.local/ns/shop/sa/shop
    network: n1
exportTo: [shop]
overrides:
  - interfaces: [com.acme.*]
    labels: {team: orders}
    exportTo: ["*"]
removal: {delay: 500ms}
holds: {port: 48h, service: 10m}
hostNames: {mode: refuse}
"#,
    );
    assert_eq!(config.registries.len(), 2);
    assert_eq!(
        config.listen.tls.as_ref().unwrap().key.to_str(),
        Some("/tls/tls.key")
    );
    assert_eq!(config.listen.clients, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.admin.to_string(), "0.0.0.0:9100");
    let mesh = &config.mesh;
    assert_eq!(&*mesh.namespace, "dubbo");
    assert_eq!(
        mesh.ports.mode(20880),
        Mode::Http2(["pay".into(), "shop".into()].into())
    );
    assert_eq!(mesh.ports.check(8080), Ok(()));
    assert_eq!(mesh.ports.check(50051), Err(PortRefused::NotListed(50051)));
    assert_eq!(mesh.schemes[&Protocol::from("thrift")], IstioProtocol::Tcp);
    assert_eq!(mesh.schemes[&Protocol::Rest], IstioProtocol::Http2);
    assert_eq!(mesh.schemes[&Protocol::Tri], IstioProtocol::Grpc);
    assert_eq!(
        config.reading.labels,
        ["revision".into(), "idc".into()].into()
    );
    let facts = mesh
        .workloads
        .facts("10.1.2.3".parse().unwrap(), "shop-cart");
    assert_eq!(
        (facts.in_mesh, &*facts.locality, &*facts.network),
        (true, "hz/b", "n1")
    );
    assert_eq!(mesh.overrides[0].labels["team"], "orders");
    assert_eq!(config.removal.delay, Duration::from_millis(500));
    assert_eq!(config.holds.service, Duration::from_secs(600));
    assert_eq!(config.host_names, HostNames::Refuse);
}

/// Each mistake with the place that a person would look at, and the words that help.
#[test]
fn a_mistake_is_reported_with_its_line_and_column() {
    let mut wrong = Vec::new();
    for (text, place, words) in [
        ("namespace: a\nport: 1\n", "2:1:", "port"),
        (
            "namespace: A_b\n",
            "1:12:",
            "\"A_b\" is not the name of a namespace",
        ),
        (
            "ports:\n  listen: [20880, x]\n",
            "2:19:",
            "neither a port nor a range",
        ),
        (
            "ports:\n  http2: [{ports: [1], namespaces: [a]}]\n",
            "2:3:",
            "http2 port 1 is in neither",
        ),
        (
            "vips:\n  cidr: 240.240.0.0/16\n",
            "2:3:",
            "istiod hands out itself",
        ),
        ("registries:\n  - zookeper://a\n", "2:5:", "zookeper"),
        (
            "labels: [version]\n",
            "1:10:",
            "label version is always there",
        ),
        ("labels: [\"a b\"]\n", "1:10:", "cannot be a label"),
        (
            "workloads:\n- identity: shop\n",
            "2:13:",
            "is no identity like spiffe://",
        ),
        ("removal: {delay: soon}\n", "1:18:", "not a duration"),
        (
            "schemes: {Thr_ift: TCP}\n",
            "1:11:",
            "has to be a DNS label",
        ),
        ("schemes: {thrift: DUBBO}\n", "1:19:", "DUBBO"),
        ("listen: {address: \"0.0.0.0:1\"}\n", "1:", "without TLS"),
        (
            "workloads:\n- cidrs: [10.0.0.0/99]\n",
            "2:",
            "neither an address nor a CIDR",
        ),
        (
            "overrides:\n- interfaces: [a]\n  labels: {istio.io/rev: x}\n",
            "2:",
            "revision",
        ),
        ("filter: {upstream: tcp}\n", "1:20:", "tcp"),
        (
            "filter: {options: {atachments: [region]}}\n",
            "1:9:",
            "did you mean `attachments`",
        ),
        ("filter: {options: {mode: observe}}\n", "1:9:", "observes"),
        (
            "filter: {options: {authority_for_http2: true}}\n",
            "1:9:",
            "under `triple`",
        ),
        ("filter: {metadata: \"a b\"}\n", "1:9:", "proxy's metadata"),
        (
            "filter: {providers: [{ports: [1], namespaces: [a, \"*\"]}]}\n",
            "1:9:",
            "neither the name of a namespace",
        ),
        (
            "filter: {observe: [{ports: [20880], namespaces: [a]}, {ports: [20880-20881], namespaces: [a]}]}\n",
            "1:9:",
            "observe: port 20880 is listed twice for a",
        ),
        (
            "filter: {observe: [{ports: [20880], namespaces: [a], except: [10.0.0.1]}]}\n",
            "1:9:",
            "only lists of `ports.http2`",
        ),
        (
            "filter: {options: {except: [10.0.0.1]}}\n",
            "1:9:",
            "no such option",
        ),
        (
            "ports:\n  http2: [{ports: [20880], namespaces: [a], except: [10.0.0.0/99]}]\n",
            "2:",
            "neither an address nor a CIDR",
        ),
        ("overrides: [{interfaces: [a], pick: me}]\n", "1:", "me"),
        (
            "filter: {providers: [{ports: [20880], namespaces: [a]}, {ports: [20880], namespaces: [\"*\"]}]}\n",
            "1:9:",
            "for all namespaces and for a again",
        ),
        (
            "registries: [\"file:a\", \"file:a\"]\n",
            "1:24:",
            "registry file:a is listed twice",
        ),
        (
            "filter:\n  observe: [{ports: [1], namespaces: [\"*\"]}, {ports: [2], namespaces: [a]}]\n",
            "2:",
            "filter.observe: all namespaces and some of them again",
        ),
        (
            "ports: {http2: [{ports: [20880], namespaces: [istio-system]}]}\nfilter: {}\n",
            "2:9:",
            "istio-system is Istio's root namespace",
        ),
        (
            "filter: {rootNamespace: mesh, bypass: [{ports: [20880], namespaces: [mesh]}]}\n",
            "1:9:",
            "filter.bypass: mesh is Istio's root namespace",
        ),
        (
            "filter: {bypass: [{ports: [], namespaces: [a]}]}\n",
            "1:9:",
            "needs ports",
        ),
        (
            "ports: {http2: [{ports: [], namespaces: [a]}]}\n",
            "1:8:",
            "needs ports",
        ),
        (
            "ports: {listen: [70000]}\n",
            "1:18:",
            "\"70000\" is neither a port",
        ),
        (
            "ports: {listen: [-1]}\n",
            "1:18:",
            "\"-1\" is neither a port",
        ),
        (
            "ports: {listen: [1.5]}\n",
            "1:18:",
            "\"1.5\" is neither a port",
        ),
        ("ports: {listen: [~]}\n", "1:18:", "a value is missing here"),
        (
            "ports:\nvips: {}\n",
            "1:6:",
            "expected `key: value` lines here",
        ),
        (
            "namespace: a\nnamespace: b\n",
            "2:1:",
            "`namespace` is there twice",
        ),
        (
            "namespace: a\n---\nnamespace: b\n",
            "3:1:",
            "a configuration is one",
        ),
        (
            "listen: {address: \"localhost:1\"}\n",
            "1:19:",
            "names are not looked up",
        ),
        ("admin: localhost:1\n", "1:8:", "names are not looked up"),
        (
            "admin: 127.0.0.1:18848\n",
            "",
            "listen.address and admin are both",
        ),
        (
            "listen: {clients: [10.0.0.0/33]}\n",
            "1:19:",
            "neither an address nor a CIDR",
        ),
        (
            "vips: {cidr: \"fd00::/8\"}\n",
            "1:14:",
            "no range of IPv4 addresses",
        ),
        (
            "vips: {pins: {Nonsense_Host: 241.0.0.1}}\n",
            "1:7:",
            "is no host of ours",
        ),
        (
            "schemes: {dubbo: HTTP}\n",
            "1:11:",
            "dubbo is TCP, or HTTP/2 on the ports of ports.http2",
        ),
        (
            "overrides: [{interfaces: [], pick: sdk}]\n",
            "1:13:",
            "none are listed",
        ),
        ("namespace: [\n", "", ""),
    ] {
        let error = error(text);
        let one_line = error.contains(':') && !error.contains('\n');
        if !error.starts_with(place) || !error.contains(words) || !one_line {
            wrong.push((text, error));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn what_istiod_would_refuse_of_every_entry_is_refused_here() {
    for text in [
        "exportTo: [a_b]",
        "exportTo: [Shop]",
        "exportTo: [shop, '*']",
        "exportTo: ['~']",
        "exportTo: ['.']",
        "overrides: [{interfaces: ['*'], exportTo: ['a b']}]",
        "ports: {http2: [{ports: [20880], namespaces: ['~']}]}",
    ] {
        assert!(
            error(text).contains("neither the name of a namespace"),
            "{text}"
        );
    }
    assert!(error("namespace: Foo").contains("not the name of a namespace"));
    assert_eq!(read("exportTo: ['*']").mesh.export_to, ["*".into()]);
}

#[test]
fn a_range_that_no_host_can_have_is_refused() {
    for cidr in ["127.0.0.0/16", "224.0.0.0/8", "0.0.0.0/8"] {
        let text = format!("vips: {{cidr: {cidr}}}");
        assert!(error(&text).contains("cannot stand for hosts"), "{text}");
    }
}

#[test]
fn a_hold_that_no_clock_reaches_is_refused() {
    let text = "holds: {port: 200000000000y}";
    assert!(
        error(text).contains("more than 100 years"),
        "{}",
        error(text)
    );
}

#[test]
fn the_filter_is_installed_as_it_is_configured() {
    use dubbo_registry::installation::{ClusterMatch, Installation, Upstream};

    assert_eq!(read("namespace: a").mesh.installation, None);
    assert_eq!(
        read("filter: {}").mesh.installation,
        Some(Installation::default())
    );
    let text = "filter:
  rootNamespace: mesh
  metadata: canary
  upstream: transportSocket
  clusterMatch: host
  blockAll: true
  options: {attachments: [region, 'gray-*']}
  providers: [{ports: [20880-20881], namespaces: [pay]}]
  observe: [{ports: [20890], namespaces: ['*']}]
  bypass: [{ports: [20881], namespaces: [shop]}]
  triple: [{ports: [50051], namespaces: [shop]}]
";
    let options = serde_json::json!({"attachments": ["region", "gray-*"]});
    let expected = Installation {
        root_namespace: "mesh".into(),
        metadata: "canary".into(),
        upstream: Upstream::TransportSocket,
        cluster_match: ClusterMatch::Host,
        block_all: true,
        options: options.as_object().unwrap().clone(),
        providers: [("pay".into(), [20880, 20881].into())].into(),
        observed: [("*".into(), [20890].into())].into(),
        bypassed: [("shop".into(), [20881].into())].into(),
        triple: [("shop".into(), [50051].into())].into(),
    };
    assert_eq!(read(text).mesh.installation, Some(expected));
}

#[test]
fn the_authority_of_triple_is_set_where_no_dubbo_is() {
    let text = "filter: {options: {authority_for_http2: true}}";
    assert!(error(text).contains("under `triple`"), "{}", error(text));
    // Whoever calls there: no provider of Triple is published on such a port.
    let text = "ports: {http2: [{ports: [20880], namespaces: [pay]}]}
filter: {triple: [{ports: [20880], namespaces: [shop]}]}
";
    let said = error(text);
    assert!(
        said.contains("filter.triple: port 20880 is in ports.http2, and so Dubbo's alone"),
        "{said}"
    );
}
