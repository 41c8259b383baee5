//! Provider URLs as each version of Dubbo writes them. The URLs are from public reports, or in the
//! shape that Dubbo 2.6.12, 2.7.23, 3.1.11, 3.2.16 and 3.3.6 register; where versions read
//! differently (`URL.valueOf`, `URLStrParser`, `UrlUtils.isMatch`), what any of them accepts.

use proptest::prelude::*;

use super::*;

const DEMO: &str = "org.apache.dubbo.demo.DemoService";

fn reading(labels: &[&str]) -> Reading {
    Reading {
        labels: labels.iter().map(|label| (*label).into()).collect(),
    }
}

fn parse(url: &str) -> Result<Provider, ProviderError> {
    Provider::parse_standalone(url, &reading(&["revision", "zone"]))
}

/// A provider of `I`, without anything that it does not say.
fn plain(protocol: &str, host: &str, port: u16, interface: &str) -> Provider {
    let host = match host.parse() {
        Ok(ip) => Host::Ip(ip),
        Err(_) => Host::Name(host.into()),
    };
    Provider {
        id: Identity {
            service: Arc::new(ServiceKey::new(interface, "", "").unwrap()),
            protocol: protocol.into(),
            host,
            port,
            path: "".into(),
        },
        timestamp: 0,
        weight: 100,
        enabled: true,
        also_speaks: None,
        application: "".into(),
        tag: "".into(),
        labels: Box::new([]),
    }
}

#[test]
fn urls_of_each_version() {
    for (url, application, timestamp, expected) in [
        // dubbox 2.8
        (
            "dubbo://10.230.1.189:20880/com.foo.Bar?anyhost=true&application=shop\
             &default.delay=-1&default.retries=0&default.service.filter=providerFilter\
             &default.timeout=10000&delay=-1&dispatcher=message&dubbo=2.8.7\
             &interface=com.foo.Bar&methods=a,b&side=provider&timestamp=1464861048337",
            "shop",
            1_464_861_048_337,
            plain("dubbo", "10.230.1.189", 20880, "com.foo.Bar"),
        ),
        // 2.7.5
        (
            "dubbo://192.168.0.102:20881/com.heyu.service.StudentService?anyhost=true\
             &application=myProvider&deprecated=false&dubbo=2.0.2&dynamic=true&generic=false\
             &interface=com.heyu.service.StudentService&methods=getStudent&pid=20828\
             &release=2.7.5&side=provider&timestamp=1624334801215",
            "myProvider",
            1_624_334_801_215,
            plain(
                "dubbo",
                "192.168.0.102",
                20881,
                "com.heyu.service.StudentService",
            ),
        ),
        // 3.2.0
        (
            "dubbo://192.168.1.5:20882/org.hzz.GreetingService?anyhost=true\
             &application=first-dubbo-provider&background=false&deprecated=false&dubbo=2.0.2\
             &dynamic=true&environment=product&executor-management-mode=isolation\
             &file-cache=true&generic=false&interface=org.hzz.GreetingService&methods=sayHi\
             &pid=21056&prefer.serialization=fastjson2,hessian2&release=3.2.0\
             &service-name-mapping=true&side=provider&timestamp=1683559572642",
            "first-dubbo-provider",
            1_683_559_572_642,
            plain("dubbo", "192.168.1.5", 20882, "org.hzz.GreetingService"),
        ),
        // 3.3.2
        (
            "dubbo://192.168.3.7:20880/org.apache.dubbo.demo.DemoService\
             ?application=dubbo-demo-api-provider&deprecated=false&dubbo=2.0.2&dynamic=true\
             &generic=false&interface=org.apache.dubbo.demo.DemoService\
             &methods=sayHello,sayHelloAsync&prefer.serialization=hessian2,fastjson2\
             &release=3.3.2&service-name-mapping=true&side=provider&timestamp=1739454081130",
            "dubbo-demo-api-provider",
            1_739_454_081_130,
            plain("dubbo", "192.168.3.7", 20880, DEMO),
        ),
        // simplified, 3.x: neither interface nor timestamp
        (
            "tri://192.168.3.7:50051/org.apache.dubbo.demo.DemoService?application=demo\
             &deprecated=false&dubbo=2.0.2&prefer.serialization=hessian2,fastjson2\
             &release=3.3.6&sayHello.timeout=500&side=provider",
            "demo",
            0,
            plain("tri", "192.168.3.7", 50051, DEMO),
        ),
    ] {
        let application = application.into();
        let expected = Provider {
            application,
            timestamp,
            ..expected
        };
        assert_eq!(parse(url), Ok(expected), "{url}");
    }
}

/// A node's name of 2.7, in the directory of its interface; its path is another one.
#[test]
fn a_node_of_2_7_with_a_path_of_its_own() {
    let node = "dubbo%3A%2F%2F192.168.0.105%3A20880%2Fdemo%2Falias%3Fanyhost%3Dtrue\
                %26application%3Decho-provider%26dubbo%3D2.0.2%26generic%3Dfalse\
                %26group%3Dgray%26interface%3Dorg.apache.dubbo.demo.DemoService\
                %26methods%3Decho1%2Cecho%26pid%3D15700%26revision%3D1.4%26side%3Dprovider\
                %26timestamp%3D1572966656788%26version%3D1.0.0%26weight%3D50\
                %26dubbo.tag%3Dblue%26zone%3Da+b";
    let url = form_decode(node).unwrap();
    let service = Arc::new(ServiceKey::new(DEMO, "gray", "1.0.0").unwrap());
    let plain = plain("dubbo", "192.168.0.105", 20880, DEMO);
    let expected = Provider {
        id: Identity {
            service,
            path: "demo/alias".into(),
            ..plain.id.clone()
        },
        timestamp: 1_572_966_656_788,
        weight: 50,
        application: "echo-provider".into(),
        tag: "blue".into(),
        labels: [
            ("revision".into(), "1.4".into()),
            ("zone".into(), "a b".into()),
        ]
        .into(),
        ..plain
    };
    let read = Provider::parse(&url, DEMO, &reading(&["revision", "absent", "zone"]));
    assert_eq!(read, Ok(expected));
}

#[test]
fn a_consumer_is_no_provider_wherever_it_stands() {
    let url = "consumer://192.168.99.1/com.alibaba.dubbo.samples.api.GreetingService\
               ?application=demo-consumer&category=consumers&check=false&default.timeout=3000\
               &dubbo=2.6.2&interface=com.alibaba.dubbo.samples.api.GreetingService\
               &methods=sayHello&pid=82406&side=consumer&timestamp=1533274951195";
    assert_eq!(
        parse(url),
        Err(ProviderError::NotAProvider("consumer".into()))
    );
    // Dubbo 3 takes the scheme of the reference's protocol.
    let url = url.replace("consumer://192.168.99.1", "dubbo://192.168.99.1");
    assert_eq!(
        parse(&url),
        Err(ProviderError::WrongCategory("consumers".into()))
    );
}

/// Each parameter, alone.
#[test]
fn parameters() {
    let at = || plain("dubbo", "10.0.0.1", 20880, "I");
    let key = |group: &str, version: &str| Identity {
        service: Arc::new(ServiceKey::new("I", group, version).unwrap()),
        ..at().id
    };
    let provider = |id| Provider { id, ..at() };
    let enabled = |enabled| Provider { enabled, ..at() };
    let weight = |weight| Provider { weight, ..at() };
    let tag = |tag: &str| Provider {
        tag: tag.into(),
        ..at()
    };
    for (query, expected) in [
        ("", at()),
        ("interface=I", at()),
        ("group=gray", provider(key("gray", ""))),
        ("version=1.0.0", provider(key("", "1.0.0"))),
        ("version=0.0.0", at()),
        ("group=&version=", at()),
        // What 2.5 and 2.6 write for all services of a provider, and what they write for one.
        (
            "default.group=gray&default.version=2",
            provider(key("gray", "2")),
        ),
        ("default.group=gray&group=blue", provider(key("blue", ""))),
        ("group=blue&default.group=gray", provider(key("blue", ""))),
        ("group=&default.group=gray", provider(key("gray", ""))),
        ("default.weight=10", weight(10)),
        // 2.7 and later end a pair at a semicolon too.
        ("group=gray;version=1", provider(key("gray", "1"))),
        ("weight=0", weight(0)),
        ("weight=-5", weight(0)),
        ("weight=99999999999", weight(u32::MAX)),
        ("weight=", weight(100)),
        ("weight=7&weight=8", weight(8)),
        ("enabled=false", enabled(false)),
        ("enabled=true", enabled(true)),
        ("enabled=FALSE", enabled(false)),
        ("enabled=0", enabled(false)),
        ("disabled=true", enabled(false)),
        ("disabled=TRUE", enabled(false)),
        ("disabled=false", enabled(true)),
        ("disabled=1", enabled(true)),
        ("dubbo.tag=gray", tag("gray")),
        (
            "timestamp=12",
            Provider {
                timestamp: 12,
                ..at()
            },
        ),
        ("timestamp=soon", at()),
        (
            "application=a-b.c",
            Provider {
                application: "a-b.c".into(),
                ..at()
            },
        ),
        (
            "ext.protocol=tri&ispuserver=true",
            Provider {
                also_speaks: Some(Protocol::Tri),
                ..at()
            },
        ),
        (
            "revision=1",
            Provider {
                labels: [("revision".into(), "1".into())].into(),
                ..at()
            },
        ),
        (
            "default.zone=z",
            Provider {
                labels: [("zone".into(), "z".into())].into(),
                ..at()
            },
        ),
        ("zone=", at()),
        // Nothing is escaped inside of a URL: a value ends at the next pair, at nothing else.
        (
            "application=a=b?c#d/e",
            Provider {
                application: "a=b?c#d/e".into(),
                ..at()
            },
        ),
        // Without a value, or without a name, it is none of ours.
        ("disabled&=x&&&weight", at()),
        ("category=providers&dynamic=false&token=x&methods=*", at()),
    ] {
        let url = format!("dubbo://10.0.0.1:20880/I?{query}");
        assert_eq!(parse(&url), Ok(expected), "{query}");
    }
}

#[test]
fn schemes() {
    for (scheme, protocol) in [
        ("dubbo", Protocol::Dubbo),
        ("DUBBO", Protocol::Dubbo),
        ("tri", Protocol::Tri),
        ("grpc", Protocol::Grpc),
        ("rest", Protocol::Rest),
        ("http", Protocol::Http),
        ("hessian", Protocol::Other("hessian".into())),
        ("native-thrift", Protocol::Other("native-thrift".into())),
    ] {
        let read = parse(&format!("{scheme}://10.0.0.1:80/I")).unwrap();
        assert_eq!(read.id.protocol, protocol);
    }
    for scheme in [
        "empty",
        "consumer",
        "override",
        "Override",
        "absent",
        "route",
        "condition",
        "admin",
    ] {
        let error = parse(&format!("{scheme}://10.0.0.1:80/I")).unwrap_err();
        assert_eq!(error, ProviderError::NotAProvider(scheme.into()));
    }
    for text in [
        "",
        "I",
        "10.0.0.1:20880/I",
        "://10.0.0.1:80/I",
        "a b://h:1/I",
        "dubbo:/h:1/I",
    ] {
        assert_eq!(parse(text), Err(ProviderError::NoScheme), "{text}");
    }
}

#[test]
fn hosts_and_ports() {
    for (authority, host, port) in [
        ("10.0.0.1:20880", "10.0.0.1", 20880),
        ("user:pass@10.0.0.1:20880", "10.0.0.1", 20880),
        ("user:p@ss@10.0.0.1:20880", "10.0.0.1", 20880),
        ("Orders.Acme.Example:1", "orders.acme.example", 1),
        (
            "orders_1.acme.example.:65535",
            "orders_1.acme.example.",
            65535,
        ),
        ("localhost:20880", "localhost", 20880),
        // 2.6 and 2.7 write no brackets: the last colon is the port's.
        ("2001:db8::1:20880", "2001:db8::1", 20880),
        ("2001:db8:0:0:0:0:0:1:20880", "2001:db8::1", 20880),
        ("[2001:db8::1]:20880", "2001:db8::1", 20880),
        ("::ffff:10.0.0.1:20880", "10.0.0.1", 20880),
    ] {
        let read = parse(&format!("dubbo://{authority}/I")).unwrap();
        assert_eq!(read.id, plain("dubbo", host, port, "I").id, "{authority}");
    }
    use ProviderError::*;
    let unusable = |ip: &str| NotAnAddressOfAHost(ip.parse().unwrap());
    for (authority, error) in [
        ("", NoHost),
        (":20880", NoHost),
        ("10.0.0.1", BadPort("".into())),
        ("10.0.0.1:", BadPort("".into())),
        ("10.0.0.1:0", BadPort("0".into())),
        ("10.0.0.1:65536", BadPort("65536".into())),
        ("10.0.0.1:+1", BadPort("+1".into())),
        ("[2001:db8::1]", BadPort("".into())),
        ("10.0.0.300:1", BadHost("10.0.0.300".into())),
        ("ho st:1", BadHost("ho st".into())),
        ("-:1:1", BadHost("-:1".into())),
        ("0.0.0.0:20880", unusable("0.0.0.0")),
        ("[::]:20880", unusable("::")),
        ("224.0.0.1:20880", unusable("224.0.0.1")),
        ("::ffff:0.0.0.0:20880", unusable("0.0.0.0")),
        ("255.255.255.255:20880", unusable("255.255.255.255")),
        ("[ff02::1]:20880", unusable("ff02::1")),
        // As 2.7.23 registers with preferIPv6Addresses.
        (
            "fe80:0:0:0:fc:ff:fe00:1%4:25880",
            ScopeId("fe80:0:0:0:fc:ff:fe00:1%4".into()),
        ),
        ("[fe80::1%en0]:20880", ScopeId("fe80::1%en0".into())),
    ] {
        assert_eq!(
            parse(&format!("dubbo://{authority}/I")),
            Err(error),
            "{authority}"
        );
    }
}

#[test]
fn the_interface_and_its_directory() {
    let parse = |url: &str, directory| Provider::parse(url, directory, &reading(&[]));
    let service = |read: Result<Provider, ProviderError>| {
        let id = read.unwrap().id;
        (id.service.interface().to_owned(), id.path.to_string())
    };
    let expected = |interface: &str, path: &str| (interface.to_owned(), path.to_owned());
    for (url, interface, path) in [
        ("dubbo://h:1/com.I", "com.I", ""),
        ("dubbo://h:1/com.I?interface=com.I", "com.I", ""),
        ("dubbo://h:1/alias?interface=com.I", "com.I", "alias"),
        ("dubbo://h:1/alias", "com.I", "alias"),
        ("rest://h:1/ctx/v1?interface=com.I", "com.I", "ctx/v1"),
        ("dubbo://h:1", "com.I", ""),
        ("dubbo://h:1/com.I#x?interface=com.I", "com.I", ""),
    ] {
        assert_eq!(
            service(parse(url, "com.I")),
            expected(interface, path),
            "{url}"
        );
    }
    let other = ProviderError::WrongDirectory {
        interface: "com.J".into(),
        directory: "com.I".into(),
    };
    assert_eq!(
        parse("dubbo://h:1/com.I?interface=com.J", "com.I"),
        Err(other)
    );
    for bad in ["a b", "a\tb", "a\u{7}b", "a\u{a0}b"] {
        let error = ProviderError::BadInterface(bad.into());
        assert_eq!(parse("dubbo://h:1/alias", bad), Err(error));
    }
    let standalone = |url| Provider::parse_standalone(url, &reading(&[]));
    assert_eq!(
        service(standalone("dubbo://h:1/com.I")),
        expected("com.I", "")
    );
    assert_eq!(
        standalone("dubbo://h:1/"),
        Err(ProviderError::BadInterface("".into()))
    );
}

#[test]
fn weights_that_are_none() {
    for text in ["x", "1.5", "1e3", " 5", "99999999999999999999"] {
        let read = parse(&format!("dubbo://10.0.0.1:1/I?weight={text}"));
        assert_eq!(read, Err(ProviderError::BadWeight(text.into())));
    }
}

#[test]
fn form_decoding_is_that_of_java() {
    for (encoded, decoded) in [
        ("", Ok("")),
        ("com.acme.Outer%24Inner", Ok("com.acme.Outer$Inner")),
        ("a+b%2Bc", Ok("a b+c")),
        ("%E4%B8%AD%e4%b8%ad", Ok("中中")),
        ("*-._", Ok("*-._")),
        ("a%", Err(ProviderError::BadEscape(1))),
        ("a%4", Err(ProviderError::BadEscape(1))),
        ("ab%zz", Err(ProviderError::BadEscape(2))),
        ("%+1", Err(ProviderError::BadEscape(0))),
        ("ab%FF", Err(ProviderError::NotUtf8(2))),
        ("%E4%B8", Err(ProviderError::NotUtf8(0))),
    ] {
        assert_eq!(
            form_decode(encoded).as_deref(),
            decoded.as_ref().copied(),
            "{encoded}"
        );
    }
    let long = "a".repeat(MAX_URL + 1);
    assert_eq!(form_decode(&long), Err(ProviderError::TooLong(MAX_URL + 1)));
    assert_eq!(parse(&long), Err(ProviderError::TooLong(MAX_URL + 1)));
}

/// Restarts change what does not matter.
#[test]
fn the_identity_outlives_a_restart() {
    let url = |timestamp, methods, pid| {
        format!(
            "dubbo://10.0.0.1:20880/I?application=a&methods={methods}&pid={pid}&timestamp={timestamp}"
        )
    };
    let before = parse(&url(1, "a,b", 7)).unwrap();
    let after = parse(&url(2, "b,a", 8)).unwrap();
    assert_eq!(before.id, after.id);
    assert_eq!(
        before,
        Provider {
            timestamp: 1,
            ..after
        }
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*", query in "[a-z.=&;%#?]*") {
        let _ = form_decode(&text);
        for url in [text.clone(), format!("dubbo://{text}"), format!("dubbo://h:1/{text}?{query}")] {
            let read = Provider::parse(&url, "com.I", &reading(&["a", "b"]));
            if let Err(error) = read {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    /// Whatever else is in a query, in whatever order, what is read of it is the same.
    #[test]
    fn strange_parameters_do_not_matter(
        noise in proptest::collection::vec("[x-z]{1,4}(=[a-z:/?.,]{0,6})?", 0..8),
        at in any::<proptest::sample::Index>(),
    ) {
        let known = ["group=gray", "version=1", "weight=7", "application=a", "dubbo.tag=t"];
        let mut pairs: Vec<&str> = noise.iter().map(String::as_str).collect();
        for pair in known {
            pairs.insert(at.index(pairs.len() + 1), pair);
        }
        let url = |pairs: &[&str]| format!("dubbo://10.0.0.1:1/I?{}", pairs.join("&"));
        prop_assert_eq!(parse(&url(&pairs)), parse(&url(&known)));
    }
}
