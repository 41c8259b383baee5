use serde_json::{Value, json};

use super::*;
use crate::installation::Installation;
use crate::making::{key, provider};
use crate::mesh::Override;
use crate::ports::{PortList, Ports};
use crate::provider::Host;
use crate::resource::service_entry::{self, Service};

fn mesh(overrides: Vec<Override>) -> Mesh {
    let http2 = [PortList {
        ports: vec!["20880".parse().unwrap()],
        namespaces: vec!["shop".into()],
        except: Vec::new(),
    }];
    Mesh {
        ports: Ports::new(Ports::default_listen(), BTreeSet::new(), &http2).unwrap(),
        overrides,
        ..Mesh::default()
    }
}

/// The tag routes of com.acme.Orders with providers at these addresses, as manifests would hold them.
fn rendered(providers: &[&str], mesh: &Mesh) -> Option<(Value, Value)> {
    let member = |rest: &&str| {
        let provider = match rest.contains("://") {
            true => provider(rest),
            false => provider(&format!("dubbo://{rest}")),
        };
        let Host::Ip(ip) = provider.id.host else {
            panic!("{rest}")
        };
        Member { provider, ip }
    };
    let mut members: Vec<Member> = providers.iter().map(member).collect();
    members.sort();
    let key = key("com.acme.Orders");
    let host = key.host();
    let rendered = service_entry::render(
        Service {
            key: &key,
            host: &host,
            vip: Some([241, 0, 0, 1].into()),
            members: &members,
            kept_ports: &Default::default(),
        },
        mesh,
    );
    let tags = render(&key, &rendered.entries, &members, mesh)?;
    for (namespace, name) in [
        (&tags.rule.namespace, &tags.rule.name),
        (&tags.routes.namespace, &tags.routes.name),
    ] {
        assert_eq!(
            (&**namespace, &**name),
            ("dubbo-mesh-services", "com.acme.orders.dubbo--tags")
        );
    }
    let json = |spec: serde_json::Result<Value>| spec.unwrap();
    Some((
        json(serde_json::to_value(&tags.rule.spec)),
        json(serde_json::to_value(&tags.routes.spec)),
    ))
}

#[test]
fn tagged_calls_go_to_their_tag_and_all_others_never_to_a_tagged_endpoint() {
    let providers = [
        "10.0.0.1:20880/com.acme.Orders",
        "10.0.0.2:20880/com.acme.Orders?dubbo.tag=gray",
        "10.0.0.3:20880/com.acme.Orders?dubbo.tag=Blue_1",
    ];
    let host = "com.acme.orders.dubbo";
    let to = |subset: &str| json!([{"destination": {"host": host, "subset": subset}}]);
    let blue = subset_name("Blue_1");
    assert_eq!(blue.len(), "tag--".len() + 8);
    let rule = json!({
        "host": host,
        "subsets": [
            {"name": "untagged", "labels": {"tag": "untagged"}},
            {"name": blue, "labels": {"tag": "Blue_1"}},
            {"name": "tag-gray", "labels": {"tag": "gray"}},
        ],
        "exportTo": ["shop"],
    });
    let routes = json!({
        "hosts": [host],
        "http": [
            {"name": blue, "match": [{"headers": {"dubbo.tag": {"exact": "Blue_1"}}}], "route": to(&blue)},
            {"name": "tag-gray", "match": [{"headers": {"dubbo.tag": {"exact": "gray"}}}], "route": to("tag-gray")},
            {
                "name": "forced-tag",
                "match": [{"headers": {
                    "dubbo.force.tag": {"exact": "true"}, "dubbo.tag": {"regex": ".+"},
                }}],
                "directResponse": {
                    "status": 503,
                    "body": {"string": "no provider has the tag that dubbo.force.tag insists on"},
                },
            },
            {"name": "untagged", "route": to("untagged")},
        ],
        "exportTo": ["shop"],
    });
    assert_eq!(
        rendered(&providers, &mesh(Vec::new())),
        Some((rule, routes))
    );
}

#[test]
fn a_service_without_tags_or_without_routed_calls_has_none() {
    let plain = "10.0.0.1:20880/com.acme.Orders";
    let tagged = "10.0.0.2:20880/com.acme.Orders?dubbo.tag=gray";
    let other_port = "10.0.0.2:20881/com.acme.Orders?dubbo.tag=gray";
    let no_calls = "10.0.0.3:20880/com.acme.Orders?dubbo.tag=gray&weight=0";
    assert_eq!(rendered(&[plain], &mesh(Vec::new())), None);
    assert_eq!(rendered(&[plain, no_calls], &mesh(Vec::new())), None);
    assert_eq!(rendered(&[other_port], &mesh(Vec::new())), None);
    assert!(rendered(&[tagged], &mesh(Vec::new())).is_some());
}

/// Triple takes the choice from the SDK where its port is listed, and Dubbo's port is none of its business.
#[test]
fn tags_of_triple_are_kept_where_it_is_routed() {
    let tagged = "tri://10.0.0.2:50051/com.acme.Orders?dubbo.tag=gray";
    let providers = [tagged, "tri://10.0.0.3:50051/com.acme.Orders"];
    let listed = |port| Mesh {
        installation: Some(Installation {
            triple: [("shop".into(), [port].into())].into(),
            ..Installation::default()
        }),
        ..Mesh::default()
    };
    let names = |(rule, routes): (Value, Value)| {
        let subset = |it: &Value| it["name"].as_str().unwrap().to_owned();
        let of =
            |list: &Value| -> Vec<String> { list.as_array().unwrap().iter().map(subset).collect() };
        (
            of(&rule["subsets"]),
            of(&routes["http"]),
            rule["exportTo"].clone(),
        )
    };
    let expected = (
        vec!["untagged".to_owned(), "tag-gray".to_owned()],
        ["tag-gray", "forced-tag", "untagged"]
            .map(str::to_owned)
            .to_vec(),
        Value::Null,
    );
    assert_eq!(
        rendered(&providers, &listed(50051)).map(names),
        Some(expected)
    );
    assert_eq!(rendered(&providers, &listed(20880)), None);
    assert_eq!(rendered(&providers, &mesh(Vec::new())), None);
    let other = [
        "10.0.0.2:20880/com.acme.Orders?dubbo.tag=gray",
        providers[1],
    ];
    assert_eq!(rendered(&other, &listed(50051)), None);
}

#[test]
fn who_sees_to_it_himself_is_left_alone() {
    let own = |interface: &str, tag_routes| Override {
        interfaces: vec![interface.into()],
        labels: BTreeMap::new(),
        export_to: None,
        tag_routes,
        pick: None,
    };
    let tagged = ["10.0.0.2:20880/com.acme.Orders?dubbo.tag=gray"];
    let with = |overrides| rendered(&tagged, &mesh(overrides)).is_some();
    assert!(!with(vec![own("com.acme.*", Some(false))]));
    assert!(with(vec![own("com.acme.Pay", Some(false))]));
    assert!(!with(vec![
        own("*", Some(false)),
        own("com.acme.Orders", None)
    ]));
    assert!(with(vec![
        own("*", Some(false)),
        own("com.acme.Orders", Some(true))
    ]));
}

#[test]
fn a_tag_that_is_no_header_text_has_a_subset_and_no_route() {
    let tagged = ["10.0.0.2:20880/com.acme.Orders?dubbo.tag=灰"];
    let (rule, routes) = rendered(&tagged, &mesh(Vec::new())).unwrap();
    assert_eq!(rule["subsets"].as_array().unwrap().len(), 2);
    let names: Vec<&str> = routes["http"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| route["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["forced-tag", "untagged"]);
}
