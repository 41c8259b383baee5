use std::sync::Arc;

use dubbo_registry::census::{Offer, Unread as NotRead};
use dubbo_registry::choice::Choice;
use dubbo_registry::consumer::Consumer;
use dubbo_registry::event::{Event, News, ProviderList, SourceId, SourceState};
use dubbo_registry::provider::Provider;
use dubbo_registry::removal::{Policy, Time};
use dubbo_registry::rule::Rule;
use dubbo_registry::services::Services;
use dubbo_registry::terms::Terms;

use super::finding::{Counts, Port, Sidecar, Today, Topic};
use super::*;

/// An estate, written down.
#[derive(Default)]
struct Given<'a> {
    config: &'a str,
    providers: &'a [&'a str],
    consumers: &'a [&'a str],
    rules: Vec<Rule>,
    kubectl: Option<&'a str>,
    ports: &'a [u16],
    namespaces: &'a [&'a str],
    unread: &'a [&'a str],
}

impl Given<'_> {
    fn plan(&self) -> Plan {
        let config = Config::from_text(self.config).unwrap();
        let neighbours = self.kubectl.map(|text| neighbours::read(text).unwrap());
        let namespaces: Vec<Arc<str>> = self.namespaces.iter().map(|n| (*n).into()).collect();
        let unread = self.unread.iter().map(|what| unread_of(what, "forbidden"));
        plan(&Evidence {
            services: &self.services(&config),
            mesh: &config.mesh,
            census: &self.census(),
            neighbours: neighbours.as_deref(),
            ports: self.ports,
            namespaces: &namespaces,
            unread: unread.collect(),
            not_looked_at: BTreeSet::new(),
            rejected: 0,
        })
    }

    fn services(&self, config: &Config) -> Services {
        let source = SourceId("the registry".into());
        let mut services = Services::new([source.clone()], Policy::default());
        let provider = |url: &&str| Provider::parse_standalone(url, &config.reading).unwrap();
        let list = News::Providers(ProviderList {
            list: "all".into(),
            providers: self.providers.iter().map(provider).map(Arc::new).collect(),
            rejected: Vec::new(),
        });
        for news in [
            News::Restarted,
            list,
            News::Synced,
            News::State(SourceState::Live),
        ] {
            let source = source.clone();
            services.apply(Event { source, news }, Time::default());
        }
        services
    }

    fn census(&self) -> Census {
        let query = |url: &str| {
            url.split_once('?')
                .map_or("", |(_, query)| query)
                .to_owned()
        };
        let offer = |url: &&str| Offer {
            provider: Provider::parse_standalone(url, &Config::defaults().unwrap().reading)
                .unwrap()
                .id,
            choices: Choice::read(&query(url)),
            terms: Terms::read(&query(url)),
        };
        let consumer = |url: &&str| {
            let path = url.split('?').next().unwrap().rsplit('/').next().unwrap();
            Consumer::parse(url, &path.into()).unwrap()
        };
        Census {
            consumers: self.consumers.iter().map(consumer).collect(),
            offers: self.providers.iter().map(offer).collect(),
            rules: self.rules.clone(),
            unread: Vec::<NotRead>::new(),
        }
    }

    /// What is found about its only port: topics, and who.
    fn found(&self) -> Vec<(Topic, Vec<String>)> {
        let plan = self.plan();
        let [port] = plan.ports.as_slice() else {
            panic!("{} ports", plan.ports.len())
        };
        let who = |section: &finding::Section| {
            assert_eq!(section.count, section.findings.len());
            section.findings.iter().map(ToString::to_string).collect()
        };
        port.sections.iter().map(|s| (s.topic, who(s))).collect()
    }
}

const GREETER: &str = "dubbo://10.0.0.1:20880/com.acme.Greeter?application=acme";
/// All that is on 20880 has a known place.
const KNOWN: &str = "workloads: [{inMesh: true}]\n";

fn of(topic: Topic, who: &[&str]) -> Vec<(Topic, Vec<String>)> {
    vec![(topic, who.iter().map(|w| (*w).to_owned()).collect())]
}

#[test]
fn a_plain_registry_changes_nothing() {
    let given = Given {
        config: KNOWN,
        providers: &[
            GREETER,
            "dubbo://10.0.0.2:20880/com.acme.Greeter?application=acme",
            "dubbo://10.0.0.3:20880/com.acme.Gone?weight=0",
        ],
        consumers: &[
            "consumer://10.0.1.1/com.acme.Greeter?application=web&cluster=failfast&loadbalance=random&sticky=false",
            "consumer://10.0.1.2/com.acme.Greeter?application=web&cluster=failover",
            "consumer://10.0.1.2/com.acme.Other?cluster=broadcast",
        ],
        namespaces: &["shop"],
        ..Given::default()
    };
    let plan = given.plan();
    let steps = steps::steps(
        20880,
        &["shop".into()],
        &Config::from_text(KNOWN).unwrap().mesh,
    );
    let undo = steps::undo(
        20880,
        &["shop".into()],
        &Config::from_text(KNOWN).unwrap().mesh,
    );
    let narrower = plan.ports[0].sections.clone();
    let expected = Plan {
        ports: vec![Port {
            port: 20880,
            namespaces: vec!["shop".into()],
            today: Today::Tcp,
            counts: Counts {
                services: 1,
                providers: 2,
                consumers: 2,
            },
            sidecar: Sidecar {
                listeners_to_come: vec!["0.0.0.0_20880".into()],
                listeners_to_go: 1,
                clusters: 1,
                endpoints: 2,
                bytes: cost::bytes(1, 2),
            },
            sections: narrower,
            verdict: Verdict::Unchanged,
            steps,
            undo,
        }],
        unread: Vec::new(),
        not_looked_at: BTreeSet::new(),
        rejected: 0,
        verdict: Verdict::Unchanged,
    };
    assert_eq!(plan, expected);
    let narrower = of(
        Topic::FewerNamespaces,
        &["com.acme.Greeter: com.acme.greeter.dubbo"],
    );
    assert_eq!(given.found(), narrower);
    let everywhere = Given {
        namespaces: &[],
        ..given
    };
    assert_eq!(everywhere.found(), []);
}

/// The URLs are those of `registry/src/consumer.rs`, which real consumers wrote, cut to what is read.
#[test]
fn consumers_that_pick_for_themselves_are_named() {
    let given = Given {
        config: KNOWN,
        providers: &[GREETER],
        consumers: &[
            "consumer://10.0.1.1/com.acme.Greeter?application=web&category=consumers&cluster=broadcast",
            "consumer://10.0.1.2/com.acme.Greeter?application=web&category=consumers&loadbalance=consistenthash",
            "consumer://10.0.1.3/com.acme.Greeter?application=web&category=consumers&sticky=true",
            "consumer://10.0.1.4/com.acme.Greeter?application=web&category=consumers&cluster=forking&forks=3",
            "consumer://10.0.1.5/com.acme.Greeter?application=web&category=consumers&cluster=available",
            "consumer://10.0.1.6/com.acme.Greeter?application=web&category=consumers&default.cluster=broadcast",
            "consumer://10.0.1.7/com.acme.Greeter?application=web&category=consumers&greet.loadbalance=ours",
            "consumer://10.0.1.8/com.acme.Greeter?application=web&category=consumers&group=*&sticky=true&version=*",
            "dubbo://10.0.1.9/com.acme.Greeter?application=web&category=consumers&greet.sticky=true",
            // Not of this service.
            "consumer://10.0.1.10/com.acme.Greeter?application=web&group=gray&sticky=true",
            "consumer://10.0.1.11/com.acme.Orders?application=web&sticky=true",
        ],
        ..Given::default()
    };
    assert_eq!(
        given.found(),
        of(
            Topic::Picks,
            &[
                "*/com.acme.Greeter:* consumer 10.0.1.8 (web): sticky=true",
                "com.acme.Greeter consumer 10.0.1.1 (web): cluster=broadcast",
                "com.acme.Greeter consumer 10.0.1.2 (web): loadbalance=consistenthash",
                "com.acme.Greeter consumer 10.0.1.3 (web): sticky=true",
                "com.acme.Greeter consumer 10.0.1.4 (web): cluster=forking",
                "com.acme.Greeter consumer 10.0.1.5 (web): cluster=available",
                "com.acme.Greeter consumer 10.0.1.6 (web): cluster=broadcast",
                "com.acme.Greeter consumer 10.0.1.7 (web): greet.loadbalance=ours",
                "com.acme.Greeter consumer 10.0.1.9 (web): greet.sticky=true",
            ]
        )
    );
    let plan = given.plan();
    assert_eq!(
        (plan.verdict, plan.ports[0].counts.consumers),
        (Verdict::Changed, 9)
    );
}

#[test]
fn a_consumer_that_is_known_to_have_no_sidecar_keeps_its_pick() {
    let sticky = ["consumer://10.0.1.1/com.acme.Greeter?application=web&sticky=true"];
    let mut given = Given {
        config: "workloads: [{cidrs: [10.0.1.1], inMesh: false}, {inMesh: true}]\n",
        providers: &[GREETER],
        consumers: &sticky,
        ..Given::default()
    };
    assert_eq!(given.found(), []);
    assert_eq!(given.plan().ports[0].counts.consumers, 0);
    given.config = KNOWN;
    let picks = "com.acme.Greeter consumer 10.0.1.1 (web): sticky=true";
    assert_eq!(given.found(), of(Topic::Picks, &[picks]));
}

#[test]
fn another_balance_is_a_note() {
    let given = Given {
        config: KNOWN,
        providers: &["dubbo://10.0.0.1:20880/com.acme.Greeter?loadbalance=leastactive"],
        consumers: &["consumer://10.0.1.1/com.acme.Greeter?greet.loadbalance=roundrobin"],
        ..Given::default()
    };
    let expected = of(
        Topic::Balance,
        &[
            "com.acme.Greeter provider 10.0.0.1:20880: loadbalance=leastactive",
            "com.acme.Greeter consumer 10.0.1.1: greet.loadbalance=roundrobin",
        ],
    );
    assert_eq!(given.found(), expected);
    assert_eq!(given.plan().verdict, Verdict::Unchanged);
}

#[test]
fn tags_are_named_on_both_sides() {
    let tagged = "dubbo://10.0.0.2:20880/com.acme.Greeter?application=acme&dubbo.tag=gray";
    let asks = ["consumer://10.0.1.1/com.acme.Greeter?application=web&dubbo.tag=gray"];
    let given = Given {
        config: KNOWN,
        providers: &[GREETER, tagged],
        consumers: &asks,
        ..Given::default()
    };
    let provider = ["com.acme.Greeter provider 10.0.0.2:20880 (acme): dubbo.tag=gray"];
    let consumer = ["com.acme.Greeter consumer 10.0.1.1 (web): dubbo.tag=gray"];
    let kept = [of(Topic::Tags, &consumer), of(Topic::KeptTags, &provider)].concat();
    assert_eq!(given.found(), kept);
    // Without routes of ours nobody keeps the rule; the SDK that picks keeps it itself.
    let with = |line: &str| format!("{KNOWN}overrides: [{{interfaces: [com.acme.*], {line}}}]\n");
    for (line, expected) in [
        (
            "tagRoutes: false",
            of(Topic::Tags, &[provider, consumer].concat()),
        ),
        ("pick: sdk", Vec::new()),
    ] {
        let config = with(line);
        let found = Given {
            config: &config,
            rules: Vec::new(),
            ..given
        }
        .found();
        assert_eq!(found, expected, "{line}");
    }
    // Where nobody has a tag, to ask for one makes no difference.
    let given = Given {
        providers: &[GREETER],
        ..given
    };
    assert_eq!(given.found(), []);
}

/// What the advice says is enough: with it written down nothing is left to be said.
#[test]
fn what_keeps_the_choice_of_the_sdk_is_no_longer_named() {
    let providers = [
        "dubbo://10.0.0.1:20880/com.acme.Greeter?application=acme&sticky=true&token=1",
        "dubbo://10.0.0.2:20880/com.acme.Greeter?application=acme&token=2",
        "dubbo://10.0.0.3:20880/com.acme.Pusher?application=acme&push.0.callback=true",
        "dubbo://10.0.0.4:20880/com.acme.Pusher?application=acme",
    ];
    let consumers = [
        "consumer://10.0.1.1/com.acme.Greeter?application=web&cluster=broadcast",
        "consumer://10.0.1.1/com.acme.Pusher?application=web&push.0.callback=true",
    ];
    let topics = |config: &str| {
        let given = Given {
            config,
            providers: &providers,
            consumers: &consumers,
            ..Given::default()
        };
        let topics = given.found().into_iter().map(|(topic, _)| topic);
        (given.plan().verdict, topics.collect::<Vec<_>>())
    };
    let (picks, mixed, callbacks) = (Topic::Picks, Topic::MixedProviders, Topic::Callbacks);
    let sdk = "overrides: [{interfaces: [com.acme.Greeter], pick: sdk}]\n";
    let except = |addresses: &str| {
        format!(
            "ports: {{http2: [{{ports: [20880], namespaces: [shop], except: [{addresses}]}}]}}\n"
        )
    };
    let (one, both) = (except("10.0.0.3"), except("10.0.0.3, 10.0.0.4/32"));
    let changed = Verdict::Changed;
    for (lines, expected) in [
        (String::new(), (changed, vec![picks, callbacks, mixed])),
        (sdk.to_owned(), (changed, vec![callbacks])),
        (both.clone(), (changed, vec![picks, mixed])),
        // A call could be dialled to the other one, and then balanced.
        (format!("{sdk}{one}"), (changed, vec![callbacks])),
        (format!("{sdk}{both}"), (Verdict::Unchanged, vec![])),
    ] {
        assert_eq!(topics(&format!("{KNOWN}{lines}")), expected, "{lines}");
    }
    // What is said to be written is what was written.
    let config = Config::from_text(&format!("{sdk}{both}")).unwrap();
    let steps = steps::steps(20881, &["pay".into()], &config.mesh).join("\n");
    let list = "{ports: [20880], namespaces: [shop], except: [10.0.0.3/32, 10.0.0.4/32]}";
    assert!(steps.contains(list), "{steps}");
}

/// As 3.3.6 wrote it, cut to what is read.
#[test]
fn callbacks_are_named_on_both_sides() {
    let given = Given {
        config: KNOWN,
        providers: &[
            "dubbo://10.0.0.1:20880/com.acme.Greeter?application=acme&callbacks=3&greet.0.callback=true&onconnect=up&release=3.3.6",
        ],
        consumers: &[
            "consumer://10.0.1.1/com.acme.Greeter?application=web&dubbo.stub.event=true&greet.0.callback=true",
        ],
        ..Given::default()
    };
    let expected = [
        "com.acme.Greeter provider 10.0.0.1:20880 (acme): callbacks=3",
        "com.acme.Greeter provider 10.0.0.1:20880 (acme): greet.0.callback=true",
        "com.acme.Greeter provider 10.0.0.1:20880 (acme): onconnect=up",
        "com.acme.Greeter consumer 10.0.1.1 (web): dubbo.stub.event=true",
        "com.acme.Greeter consumer 10.0.1.1 (web): greet.0.callback=true",
    ];
    assert_eq!(given.found(), of(Topic::Callbacks, &expected));
}

/// A rolling upgrade from 2.7 to 3.2, `token=true`, and an alias for some.
#[test]
fn providers_that_cannot_take_each_others_calls_are_named() {
    let given = Given {
        config: KNOWN,
        providers: &[
            "dubbo://10.0.0.1:20880/com.acme.Greeter?release=2.7.23",
            "dubbo://10.0.0.2:20880/com.acme.Greeter?prefer.serialization=fastjson2,hessian2&release=3.2.16",
            "dubbo://10.0.0.1:20880/com.acme.Orders?token=5e1a",
            "dubbo://10.0.0.2:20880/com.acme.Orders?token=77b0",
            "dubbo://10.0.0.3:20880/com.acme.Orders",
            "dubbo://10.0.0.1:20880/com.acme.Pay",
            "dubbo://10.0.0.2:20880/pay?interface=com.acme.Pay",
            // Alike, or not for the mesh to pick.
            "dubbo://10.0.0.1:20880/com.acme.Stock?prefer.serialization=fastjson2,hessian2&token=a",
            "dubbo://10.0.0.2:20880/com.acme.Stock?prefer.serialization=hessian2,fastjson2&token=a",
            "dubbo://10.0.0.3:20880/com.acme.Stock?token=b&weight=0",
        ],
        ..Given::default()
    };
    let mut found = given.found();
    let [(Topic::MixedProviders, who)] = found.as_mut_slice() else {
        panic!("{found:?}")
    };
    // Which of two tokens is number 1 is nobody's choice.
    let (first, second) = ("wants token number 1", "wants token number 2");
    let numbered =
        |line: &String, by: &str, number: &str| line.contains(by) && line.ends_with(number);
    assert!(who.iter().any(|line| numbered(line, "10.0.0.", first)));
    assert!(who.iter().any(|line| numbered(line, "10.0.0.", second)));
    who.retain(|line| !line.contains("wants token number"));
    let expected = [
        "com.acme.Greeter provider 10.0.0.1:20880: reads hessian2",
        "com.acme.Greeter provider 10.0.0.2:20880: reads fastjson2,hessian2",
        "com.acme.Orders provider 10.0.0.3:20880: wants no token",
        "com.acme.Pay provider 10.0.0.1:20880: has path com.acme.Pay",
        "com.acme.Pay provider 10.0.0.2:20880: has path pay",
    ];
    assert_eq!(*who, expected);
    assert_eq!(given.plan().verdict, Verdict::Changed);
}

#[test]
fn rules_that_are_for_the_port_are_named() {
    let override_of = |query: &str| {
        let url = format!("override://0.0.0.0/com.acme.Greeter?{query}");
        Rule::of_configurator(&url, &"com.acme.Greeter".into()).unwrap()
    };
    let config = |name: &str| Rule::of_config(name, "force: true").unwrap();
    let given = Given {
        config: KNOWN,
        providers: &[GREETER],
        consumers: &["consumer://10.0.1.1/com.acme.Greeter?application=web"],
        rules: vec![
            config("acme.tag-router"),
            config("web.script-router"),
            config("com.acme.Greeter::.condition-router"),
            config("other.tag-router"),
            config("com.acme.Orders::.condition-router"),
            override_of("sticky=true"),
            override_of("loadbalance=leastactive"),
        ],
        ..Given::default()
    };
    let expected = [
        "tag rule for acme",
        "override with sticky=true for com.acme.Greeter",
        "condition rule for com.acme.Greeter::",
        "script rule for web",
    ];
    assert_eq!(given.found(), of(Topic::Rules, &expected));
}

#[test]
fn what_is_not_dubbo_on_the_number_is_named() {
    let given = Given {
        config: KNOWN,
        providers: &[
            GREETER,
            "rest://10.0.0.7:20880/com.acme.Files?application=files",
            // Port unification, as 3.2 and as 3.3 write it.
            "dubbo://10.0.0.2:20880/com.acme.Both?application=both",
            "tri://10.0.0.2:20880/com.acme.Both?application=both",
            "dubbo://10.0.0.3:20880/com.acme.One?application=one&ext.protocol=tri",
            "tri://10.0.0.4:50051/com.acme.Greeter",
        ],
        ..Given::default()
    };
    let other = of(
        Topic::OtherProtocols,
        &["com.acme.Files provider 10.0.0.7:20880 (files): rest"],
    );
    let shared = of(
        Topic::SharedPorts,
        &[
            "com.acme.Both provider 10.0.0.2:20880 (both): tri",
            "com.acme.One provider 10.0.0.3:20880 (one): tri",
        ],
    );
    let given = Given {
        ports: &[20880],
        ..given
    };
    assert_eq!(given.found(), [other, shared].concat());
    assert_eq!(given.plan().verdict, Verdict::Changed);
}

#[test]
fn providers_on_other_ports_are_named() {
    let given = Given {
        config: KNOWN,
        providers: &[
            GREETER,
            "dubbo://10.0.0.2:20881/com.acme.Greeter",
            "dubbo://10.0.0.3:30000/com.acme.Greeter",
            "dubbo://10.0.0.4:20882/com.acme.Other",
        ],
        ports: &[20880],
        ..Given::default()
    };
    let expected = [
        "com.acme.Greeter provider 10.0.0.2:20881: port 20881 is not in ports.http2",
        "com.acme.Greeter provider 10.0.0.3:30000: port 30000 is not one that may become a listener of \
         the mesh; if it is Dubbo's, add `30000` to ports.listen",
    ];
    assert_eq!(given.found(), of(Topic::OtherPorts, &expected));
    // Each endpoint of an entry is in the cluster of each of its ports; who is refused is in none.
    let sidecar = &given.plan().ports[0].sidecar;
    assert_eq!((sidecar.clusters, sidecar.endpoints), (1, 2));
    let both = Given {
        ports: &[20880, 20881, 30000],
        ..given
    };
    let plan = both.plan();
    assert!(
        plan.ports.iter().all(|port| port.sections.is_empty()),
        "{plan:?}"
    );
    let today: Vec<_> = plan.ports.iter().map(|port| port.today).collect();
    assert_eq!(today, [Today::Tcp, Today::Tcp, Today::NotListed]);
}

#[test]
fn names_that_are_altered_or_shared_are_named() {
    let given = Given {
        config: KNOWN,
        providers: &[
            "dubbo://10.0.0.1:20880/com.acme.Orders?version=1.0.0-RC1",
            "dubbo://10.0.0.2:20880/com.acme.Greeter",
            "dubbo://10.0.0.3:20880/com.acme.greeter",
        ],
        ..Given::default()
    };
    let host = "com.acme.Orders:1.0.0-RC1"
        .parse::<dubbo_codec::ServiceKey>()
        .unwrap()
        .host();
    let altered = format!("com.acme.Orders:1.0.0-RC1: {host}");
    let shared = "com.acme.greeter: com.acme.greeter.dubbo belongs to com.acme.Greeter";
    let expected = [
        of(Topic::SharedHosts, &[shared]),
        of(Topic::AlteredNames, &[&altered]),
    ];
    assert_eq!(given.found(), expected.concat());
}

#[test]
fn addresses_that_nobody_knows_are_named() {
    let given = Given {
        config: "workloads: [{cidrs: [10.0.0.0/24], inMesh: true}, {cidrs: [10.0.1.0/24], locality: a}]\n",
        providers: &[
            GREETER,
            "dubbo://10.0.1.1:20880/com.acme.Greeter?application=acme",
            "dubbo://10.0.1.1:20880/com.acme.Orders?application=orders",
            "dubbo://10.0.2.1:20880/com.acme.Greeter",
            "dubbo://10.0.3.1:20880/com.acme.Greeter?disabled=true",
        ],
        ..Given::default()
    };
    let expected = of(
        Topic::UnknownWorkloads,
        &["10.0.1.1: acme, orders", "10.0.2.1"],
    );
    assert_eq!(given.found(), expected);
}

const KUBECTL: &str = r#"{"kind": "List", "items": [
  {"metadata": {"name": "own", "namespace": "shop"},
   "spec": {"clusterIP": "None", "ports": [{"port": 20880, "appProtocol": "http2"}]}},
  {"metadata": {"name": "plain", "namespace": "shop"},
   "spec": {"clusterIP": "None", "ports": [{"port": 20880, "name": "dubbo"}]}},
  {"metadata": {"name": "cache", "namespace": "pay"},
   "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 20880, "name": "tcp-cache"}, {"port": 80}]}},
  {"metadata": {"name": "hidden", "namespace": "pay", "annotations": {"networking.istio.io/exportTo": "."}},
   "spec": {"clusterIP": "None", "ports": [{"port": 20880}]}},
  {"metadata": {"name": "elsewhere", "namespace": "pay"},
   "spec": {"clusterIP": "None", "ports": [{"port": 20881}]}}
]}"#;

#[test]
fn kubernetes_services_of_the_number_are_named() {
    let mut given = Given {
        config: "exportTo: [shop]\nworkloads: [{inMesh: true}]\n",
        providers: &[GREETER],
        kubectl: Some(KUBECTL),
        namespaces: &["shop"],
        ..Given::default()
    };
    let broken = [
        "pay/cache: protocol tcp",
        "shop/plain: headless, protocol not declared",
    ];
    assert_eq!(given.found(), of(Topic::BrokenServices, &broken));
    given.config = "exportTo: [shop]\nworkloads: [{inMesh: true}]\nfilter: {clusterMatch: host}\n";
    let first = ["shop/plain: headless, protocol not declared"];
    assert_eq!(given.found(), of(Topic::HeadlessServices, &first));
    assert_eq!(given.plan().verdict, Verdict::Unchanged);
}

#[test]
fn without_a_port_those_of_the_configuration_are_planned() {
    let numbers = |config: &str| {
        let given = Given {
            config,
            providers: &[
                GREETER,
                "dubbo://10.0.0.2:20881/com.acme.Greeter",
                "dubbo://10.0.0.3:30000/com.acme.Greeter",
                "tri://10.0.0.4:50051/com.acme.Greeter",
            ],
            ..Given::default()
        };
        let ports = given.plan().ports.into_iter();
        let of = |port: Port| {
            (
                port.port,
                port.namespaces.join(","),
                port.sidecar.listeners_to_come,
            )
        };
        ports.map(of).collect::<Vec<_>>()
    };
    let comes = |port: u16| vec![format!("0.0.0.0_{port}")];
    assert_eq!(
        numbers(""),
        [
            (20880, "*".to_owned(), comes(20880)),
            (20881, "*".to_owned(), comes(20881))
        ]
    );
    assert_eq!(
        numbers("ports: {http2: [{ports: [20881], namespaces: [shop, pay]}]}\n"),
        [(20881, "pay,shop".to_owned(), Vec::new())]
    );
}

#[test]
fn what_could_not_be_read_leaves_the_answer_open() {
    let plan = Given {
        config: KNOWN,
        providers: &[GREETER],
        unread: &["/dubbo/com.acme.Orders/consumers"],
        ..Given::default()
    }
    .plan();
    let verdicts = (plan.verdict, plan.ports[0].verdict);
    assert_eq!(verdicts, (Verdict::Unknown, Verdict::Unknown));
    assert!(
        Text(&plan)
            .to_string()
            .contains("/dubbo/com.acme.Orders/consumers: forbidden\n")
    );
}

#[test]
fn a_step_says_what_to_write_with_all_that_stands_there() {
    let config = Config::from_text(
        "ports: {http2: [{ports: [20881-20882], namespaces: [shop]}]}\nfilter: {metadata: \"7\"}\n",
    )
    .unwrap();
    let steps = steps::steps(20880, &["shop".into()], &config.mesh).join("\n");
    for part in [
        "DUBBO_MESH: \"7\"",
        "`filter: {observe: [{ports: [20880], namespaces: [shop]}]}`",
        "`ports: {http2: [{ports: [20880, 20881, 20882], namespaces: [shop]}]}`,",
        "`filter: {options: {drain_ms: 65000, readonly_event: in_turn}}`",
    ] {
        assert!(steps.contains(part), "{part}\n{steps}");
    }
    let undo = steps::undo(20880, &["shop".into()], &config.mesh);
    let bypass = "add {ports: [20880], namespaces: [shop]} to `filter.bypass`";
    assert!(undo[0].contains(bypass), "{undo:?}");
    let undo = undo.join("\n");
    let back = "`ports: {http2: [{ports: [20881, 20882], namespaces: [shop]}]}`";
    assert!(undo.contains(back), "{undo}");
    let listed = steps::steps(20881, &["shop".into()], &config.mesh);
    assert_eq!(listed.len(), 2, "{listed:?}");
    let triple = "filter: {triple: [{ports: [20880], namespaces: [shop]}]}";
    let triple = Config::from_text(triple).unwrap();
    let steps = steps::steps(20880, &["shop".into()], &triple.mesh).join("\n");
    let off = "take the port off `filter.triple`, and leave `filter.observe`";
    assert!(steps.contains(off), "{steps}");
    for written in [
        "ports: {http2: [{ports: [20880, 20881, 20882], namespaces: [shop]}]}\n",
        "filter: {observe: [{ports: [20880], namespaces: [shop]}]}\n",
        // The port is observed still when it is routed.
        "ports: {http2: [{ports: [20880], namespaces: [shop]}]}\nfilter: {observe: [{ports: [20880], namespaces: [shop]}]}\n",
        "ports: {http2: [{ports: [20880], namespaces: [\"*\"]}]}\n",
    ] {
        Config::from_text(written).unwrap();
    }
    // What makes the way back free of loss is said before the switch, unless it is there.
    let settled = "filter: {options: {drain_ms: 65000, readonly_event: in_turn}}\n";
    let settled = Config::from_text(settled).unwrap();
    let [ours, theirs] = [&config, &settled].map(|config| {
        let steps = steps::steps(20880, &["shop".into()], &config.mesh);
        let undo = steps::undo(20880, &["shop".into()], &config.mesh);
        let says = |steps: &[String], words| steps.iter().position(|step| step.contains(words));
        (
            says(&steps, "Decide how connections will end"),
            says(&steps, "Switch, "),
            says(&undo, "up to a second"),
        )
    });
    assert_eq!(ours, (Some(1), Some(3), Some(1)));
    assert_eq!(theirs, (None, Some(2), None));
}

#[test]
fn a_list_is_cut_and_says_so() {
    let urls: Vec<String> = (1..=12)
        .map(|n| format!("dubbo://10.0.0.{n}:20880/com.acme.Greeter?dubbo.tag=gray"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let given = Given {
        config: KNOWN,
        providers: &urls,
        ..Given::default()
    };
    let mut plan = given.plan();
    plan.cut(10);
    let text = Text(&plan).to_string();
    assert!(text.contains("[note] Tagged providers (12)\n"), "{text}");
    assert_eq!(text.matches("dubbo.tag=gray").count(), 10);
    assert!(text.contains("    … and 2 more (--all)\n"), "{text}");
}

#[test]
fn a_port_of_nobody_has_no_steps() {
    let given = Given {
        config: KNOWN,
        providers: &[GREETER],
        ports: &[20881],
        namespaces: &["shop"],
        ..Given::default()
    };
    assert_eq!(
        Text(&given.plan()).to_string(),
        "Port 20881 in http2 mode for callers in shop (tcp today)
  0 services, 0 providers, 0 consumers
  No provider that could be read is on this port, so nothing would be routed and there are no steps.
  Without --port, the ports that providers have are planned.

  Verdict: calls of today would be answered as before

"
    );
}

/// Whoever writes to the registry chooses these texts.
#[test]
fn nothing_of_strangers_looks_like_a_line_of_ours() {
    let given = Given {
        config: KNOWN,
        providers: &[
            "dubbo://10.0.0.1:20880/com.acme.Greeter?application=a\n  Verdict: fine\u{1b}[2J&sticky=true",
        ],
        ..Given::default()
    };
    let text = Text(&given.plan()).to_string();
    assert!(
        text.contains("(a\\n  Verdict: fine\\u{1b}[2J): sticky=true\n"),
        "{text}"
    );
}

#[test]
fn machines_get_the_same_in_words_of_their_own() {
    let plan = Given {
        config: KNOWN,
        providers: &["dubbo://10.0.0.1:20880/com.acme.Greeter?application=acme&sticky=true"],
        ..Given::default()
    }
    .plan();
    let value = serde_json::to_value(&plan).unwrap();
    let section = &value["ports"][0]["sections"][0];
    assert_eq!(value["verdict"], "changed");
    assert_eq!(section["topic"], "picks");
    assert_eq!(
        section["findings"],
        serde_json::json!([{
            "kind": "setting", "service": "com.acme.Greeter", "side": "provider",
            "application": "acme", "address": "10.0.0.1:20880", "setting": "sticky=true",
        }])
    );
    let yaml = serde_saphyr::to_string(&plan).unwrap();
    let again: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(again, value);
}
