use super::*;
use proptest::prelude::*;

fn reading() -> Reading {
    Reading {
        labels: ["revision".into(), "environment".into()].into(),
    }
}

fn read(url: &str) -> Result<Provider, ProviderError> {
    Provider::parse_standalone(url, &reading())
}

/// `identity weight tag application also labels`, as far as they are there.
fn told(url: &str) -> String {
    match read(url) {
        Err(error) => error.to_string(),
        Ok(p) => {
            let also = p
                .also_speaks
                .map(|also| format!(" +{also}"))
                .unwrap_or_default();
            let labels = p
                .labels
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            let labels: String = labels.collect();
            format!(
                "{} {} {} [{}]{also}{labels}",
                p.id, p.weight, p.application, p.tag
            )
        }
    }
}

/// As people showed them in public, and as the versions of Dubbo write them.
#[test]
fn the_dialects_of_dubbo_are_read() {
    let named = "com.acme.Orders";
    for (url, expected) in [
        // dubbox 2.8: values of the ProviderConfig stand under default.
        (
            "dubbo://10.230.1.189:20880/com.acme.Orders?default.delay=-1&default.group=a\
             &default.version=1.0.0&default.weight=30&dubbo=2.8.7&interface=com.acme.Orders",
            "dubbo://10.230.1.189:20880/a/com.acme.Orders:1.0.0 30  []",
        ),
        // 2.7: the path is not the interface.
        (
            "dubbo://192.168.0.105:20880/org.apache.dubbo.demo.DemoService?anyhost=true\
             &application=echo-provider&dubbo=2.0.2&generic=false&interface=org.apache.EchoService\
             &methods=echo1,echo&pid=15700&side=consumer&timestamp=1572966656788",
            "dubbo://192.168.0.105:20880/org.apache.EchoService \
             (path org.apache.dubbo.demo.DemoService) 100 echo-provider []",
        ),
        // 3.2.0
        (
            "dubbo://192.168.1.5:20882/org.hzz.GreetingService?anyhost=true\
             &application=first-dubbo-provider&environment=product\
             &interface=org.hzz.GreetingService&prefer.serialization=fastjson2,hessian2\
             &release=3.2.0&timestamp=1683559572642",
            "dubbo://192.168.1.5:20882/org.hzz.GreetingService 100 first-dubbo-provider [] \
             environment=product",
        ),
        // 3.3: one node for a unified port.
        (
            "dubbo://10.0.0.1:20880/com.acme.Orders?dubbo.tag=gray&ext.protocol=tri&weight=50",
            "dubbo://10.0.0.1:20880/com.acme.Orders 50  [gray] +tri",
        ),
        // 2.7 with preferIPv6Addresses: no brackets, and a scope.
        (
            "dubbo://2001:db8::1:20880/com.acme.Orders",
            "dubbo://[2001:db8::1]:20880/com.acme.Orders 100  []",
        ),
        (
            "dubbo://fe80:0:0:0:fc:ff:fe00:1%4:25880/com.acme.Orders",
            "IPv6 address fe80:0:0:0:fc:ff:fe00:1%4 has a scope, which means something on its own \
             machine only; let the provider register a global address (DUBBO_IP_TO_REGISTRY)",
        ),
        (
            "tri://[2001:db8::1]:50051/com.acme.Orders?version=0.0.0",
            "tri://[2001:db8::1]:50051/com.acme.Orders 100  []",
        ),
        // Since 2.7 a semicolon divides too, and a # ends the body.
        (
            "REST://Orders.Example.:8081/ctx#x?interface=com.acme.Orders;version=2",
            "rest://orders.example.:8081/com.acme.Orders:2 (path ctx) 100  []",
        ),
        (
            "dubbo://10.0.0.1:20880/a?weight=-5",
            "dubbo://10.0.0.1:20880/a 0  []",
        ),
    ] {
        assert_eq!(told(url), expected, "{url}");
    }
    let enabled = |query: &str| {
        read(&format!("dubbo://10.0.0.1:1/{named}?{query}"))
            .unwrap()
            .enabled
    };
    assert!(enabled("") && enabled("enabled=TRUE") && enabled("disabled=1"));
    assert!(!enabled("enabled=1") && !enabled("disabled=true"));
}

#[test]
fn what_is_no_provider_is_refused_by_name() {
    let host = |ip: &str| ProviderError::NotAnAddressOfAHost(ip.parse().unwrap());
    for (url, expected) in [
        ("", ProviderError::NoScheme),
        ("10.0.0.1:20880/a", ProviderError::NoScheme),
        ("a b://10.0.0.1:20880/a", ProviderError::NoScheme),
        (
            "empty://0.0.0.0/a",
            ProviderError::NotAProvider("empty".into()),
        ),
        ("dubbo://:20880/a", ProviderError::NoHost),
        ("dubbo:///a", ProviderError::NoHost),
        (
            "dubbo://10.0.0.300:20880/a",
            ProviderError::BadHost("10.0.0.300".into()),
        ),
        ("dubbo://a b:20880/a", ProviderError::BadHost("a b".into())),
        ("dubbo://10.0.0.1/a", ProviderError::BadPort("".into())),
        ("dubbo://10.0.0.1:0/a", ProviderError::BadPort("0".into())),
        ("dubbo://10.0.0.1:+1/a", ProviderError::BadPort("+1".into())),
        (
            "dubbo://10.0.0.1:65536/a",
            ProviderError::BadPort("65536".into()),
        ),
        (
            "dubbo://10.0.0.1:20880/a b",
            ProviderError::BadInterface("a b".into()),
        ),
        (
            "dubbo://10.0.0.1:20880/",
            ProviderError::BadInterface("".into()),
        ),
        (
            "dubbo://10.0.0.1:20880/a?weight=x",
            ProviderError::BadWeight("x".into()),
        ),
        (
            "dubbo://10.0.0.1:20880/a?category=routers",
            ProviderError::WrongCategory("routers".into()),
        ),
        ("dubbo://0.0.0.0:20880/a", host("0.0.0.0")),
        ("dubbo://[::]:20880/a", host("::")),
        ("dubbo://[ff02::1]:20880/a", host("ff02::1")),
        ("dubbo://[::ffff:224.0.0.1]:20880/a", host("224.0.0.1")),
        ("dubbo://255.255.255.255:20880/a", host("255.255.255.255")),
    ] {
        assert_eq!(read(url), Err(expected), "{url}");
    }
}

#[test]
fn a_provider_in_the_directory_of_another_interface_is_refused() {
    let url = "dubbo://10.0.0.1:20880/com.acme.A?interface=com.acme.A";
    assert!(Provider::parse(url, "com.acme.A", &reading()).is_ok());
    let expected = ProviderError::WrongDirectory {
        interface: "com.acme.A".into(),
        directory: "com.acme.B".into(),
    };
    assert_eq!(
        Provider::parse(url, "com.acme.B", &reading()),
        Err(expected)
    );
}

#[test]
fn a_node_name_is_decoded_as_java_encodes_it() {
    let bad = |name: &str| form_decode(name).unwrap_err();
    assert_eq!(
        form_decode("com.foo.Outer%24Inner+x%E7%BB%84").unwrap(),
        "com.foo.Outer$Inner x组"
    );
    for (name, at) in [("%", 0), ("a%4", 1), ("ab%zz", 2), ("%+1", 0)] {
        assert_eq!(bad(name), ProviderError::BadEscape(at), "{name}");
    }
    assert_eq!(bad("ab%ff"), ProviderError::NotUtf8(2));
    let long = "x".repeat(MAX_URL + 1);
    assert_eq!(bad(&long), ProviderError::TooLong(long.len()));
    assert_eq!(read(&long), Err(ProviderError::TooLong(long.len())));
}

proptest! {
    #[test]
    fn nothing_that_anybody_registers_panics(text in any::<String>(), part in "[a-z:/?&;=#@%\\[\\]0-9.]{0,60}") {
        for url in [text.clone(), part.clone(), format!("dubbo://{part}"), format!("dubbo://h:1/{part}{text}")] {
            let _ = form_decode(&url);
            if let Ok(provider) = read(&url) {
                prop_assert!(provider.id.port != 0 && !provider.id.service.interface().is_empty());
            }
        }
    }
}
