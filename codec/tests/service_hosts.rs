//! The host names that both halves of the product rely on: `fixtures/service-hosts.tsv`.

use dubbo_codec::ServiceKey;
use std::collections::BTreeMap;

const VECTORS: &str = include_str!("../../fixtures/service-hosts.tsv");

fn vectors() -> impl Iterator<Item = (ServiceKey, &'static str)> {
    let lines = VECTORS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
        [interface, group, version, host] => (
            ServiceKey::new(interface, group, version).unwrap_or_else(|e| panic!("{line:?}: {e}")),
            host,
        ),
        _ => panic!("not four columns: {line:?}"),
    })
}

#[test]
fn each_vector_has_its_host() {
    let wrong: Vec<_> = vectors()
        .filter(|(key, host)| key.host() != *host)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(vectors().count() > 20);
}

#[test]
fn different_services_of_the_vectors_have_different_hosts() {
    let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (key, host) in vectors() {
        keys.entry(host).or_default().push(key);
    }
    for (host, mut keys) in keys {
        keys.dedup();
        assert_eq!(keys.len(), 1, "{host}");
    }
}

#[test]
fn a_key_reads_back_from_dubbos_form() {
    for (text, interface, group, version) in [
        ("com.acme.Orders", "com.acme.Orders", "", ""),
        ("com.acme.Orders:1.0.0", "com.acme.Orders", "", "1.0.0"),
        ("gray/com.acme.Orders", "com.acme.Orders", "gray", ""),
        (
            "gray/com.acme.Orders:1.0.0",
            "com.acme.Orders",
            "gray",
            "1.0.0",
        ),
    ] {
        let key: ServiceKey = text.parse().unwrap();
        assert_eq!(
            (key.interface(), key.group(), key.version()),
            (interface, group, version)
        );
        assert_eq!(key.to_string(), text);
    }
    assert!("".parse::<ServiceKey>().is_err());
    assert!("gray/:1.0.0".parse::<ServiceKey>().is_err());
}
