//! Every version of Dubbo calls every other through the mesh, and each call is answered as it is without:
//! all kinds of calls, over a table that has every pair of choices that can be.
//!
//! ```text
//! consumers of five versions, three times         providers of five versions, each in a pod
//!   bare      no sidecar                            its address: a sidecar, with or without our filter
//!   plain     a sidecar                      ─→       on the port
//!   filtered  a sidecar with our filter             its other address: no sidecar
//! ```

mod access;
mod combination;
mod coverage;
mod expected;
mod place;
mod stage;
mod table;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use support::{DubboVersion, Istiod, isolated_for, wait_until};

use access::{Seen, end, seen};
use combination::{Combination, Dials, End, Mode, Mtls, Serialization};
use place::Place;
use stage::{Caller, Stage};
use table::TABLE;

/// The access log is written within 50 ms, and of a connection at its end.
const LOGGED: Duration = Duration::from_secs(10);

/// What a row showed.
struct Shown {
    row: Combination,
    /// Of its calls.
    outcomes: Vec<String>,
    /// What is not right with the way that they took.
    wrong: Vec<String>,
}

#[test]
fn every_version_calls_every_other_as_without_the_mesh() {
    isolated_for(Duration::from_secs(420), async || {
        let mut stage = Stage::start().await;
        let virtual_addresses = virtual_addresses(&stage.istiod).await;
        let [bare, plain, filtered] = &mut stage.callers;
        let (direct, plain, filtered) = futures::join!(
            async {
                let direct = without_a_mesh(bare).await;
                (direct, rows(bare, End::Bare, &virtual_addresses).await)
            },
            rows(plain, End::Sidecar, &virtual_addresses),
            rows(filtered, End::Filter, &virtual_addresses),
        );
        let (direct, bare) = direct;
        let mut wrong = Vec::new();
        for shown in bare.iter().chain(&plain).chain(&filtered) {
            let direct = &direct[&of(&shown.row)];
            let expected = expected::outcomes(&shown.row);
            wrong.extend(
                shown
                    .wrong
                    .iter()
                    .map(|what| format!("{:?}: {what}", shown.row)),
            );
            for (what, expected) in [("without a mesh", direct), ("as it has to be", &expected)] {
                let differences = differences(expected, &shown.outcomes);
                wrong.extend(differences.map(|line| format!("{:?}: {what} {line}", shown.row)));
            }
        }
        assert_eq!(bare.len() + plain.len() + filtered.len(), TABLE.len());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// What the outcomes without a mesh depend on.
type Direct = (&'static str, &'static str, Serialization, Dials);

fn of(row: &Combination) -> Direct {
    let (consumer, provider) = (row.consumer.number(), row.provider.number());
    (consumer, provider, row.serialization, row.dials)
}

/// The outcomes of what the table needs, from where no sidecar is to where none is.
async fn without_a_mesh(caller: &mut Caller) -> BTreeMap<Direct, Vec<String>> {
    let mut all = BTreeMap::new();
    for row in &TABLE {
        if all.contains_key(&of(row)) {
            continue;
        }
        let place = Place::at(row.provider, End::Bare, Mode::Tcp, Mtls::Permissive);
        let settings = reference(row, &place, place.address);
        let outcomes = caller.consumer(row.consumer).all(&settings).await;
        all.insert(of(row), outcomes);
    }
    all
}

/// What the rows of this end of the caller show.
async fn rows(
    caller: &mut Caller,
    end_of_caller: End,
    virtual_addresses: &BTreeMap<String, IpAddr>,
) -> Vec<Shown> {
    let mut all = Vec::new();
    for row in TABLE.iter().filter(|row| row.caller == end_of_caller) {
        let place = Place::of(row);
        let dialled = match row.dials {
            Dials::Provider => place.address,
            Dials::Service => {
                SocketAddr::from((virtual_addresses[&place.host()], place.address.port()))
            }
        };
        let since = end();
        let settings = reference(row, &place, dialled);
        let outcomes = caller.consumer(row.consumer).all(&settings).await;
        all.push(Shown {
            row: *row,
            outcomes,
            wrong: way(row, caller, &place, dialled, since).await,
        });
    }
    all
}

/// The settings of a reference to a place, or to what was dialled for it.
fn reference(row: &Combination, place: &Place, dialled: SocketAddr) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("group", place.group.clone()),
        ("timeout", "20000".to_owned()),
    ];
    if row.dials == Dials::Service {
        settings.push(("url", format!("dubbo://{dialled}/{}", stage::INTERFACE)));
    }
    let serialization = match row.serialization {
        Serialization::Hessian2 => "hessian2",
        Serialization::Fastjson2 => "fastjson2",
    };
    // Older ones know of one serialization, which is the provider's: hessian2.
    if matches!(row.consumer, DubboVersion::V3_2 | DubboVersion::V3_3) {
        settings.push(("parameters.prefer.serialization", serialization.to_owned()));
        settings.push(("parameters.serialization", serialization.to_owned()));
    }
    settings
}

/// What is not right with the way that the calls of a row took, as the sidecars saw them.
async fn way(
    row: &Combination,
    caller: &Caller,
    place: &Place,
    dialled: SocketAddr,
    since: usize,
) -> Vec<String> {
    let callers = (
        caller.name.to_owned(),
        dialled,
        expected::at_caller(row, place),
    );
    let callees = (
        stage::pod_name(row.provider),
        place.address,
        expected::at_callee(row, place),
    );
    let mut wrong = Vec::new();
    for (pod, address, expected) in [callers, callees] {
        let began = std::time::Instant::now();
        loop {
            let seen = seen(since, &pod, caller.network.address(), address);
            if seen == expected {
                break;
            }
            if began.elapsed() > LOGGED {
                wrong.push(format!("{pod} saw {seen:?}\n  instead of {expected:?}"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    wrong
}

/// The virtual address of each of our services, by host.
async fn virtual_addresses(istiod: &Istiod) -> BTreeMap<String, IpAddr> {
    let entries = istiod.configs("ServiceEntry").await.unwrap();
    let address = |entry: &serde_json::Value| {
        let host = entry["spec"]["hosts"][0].as_str()?.to_owned();
        let address = entry["spec"]["addresses"][0].as_str()?.parse().ok()?;
        Some((host, address))
    };
    entries.iter().filter_map(address).collect()
}

/// The lines of `expected` that `outcomes` lack, each with the one of its name that is there instead.
fn differences<'a>(
    expected: &'a [String],
    outcomes: &'a [String],
) -> impl Iterator<Item = String> + 'a {
    let name = |line: &str| line.split(' ').next().unwrap_or("").to_owned();
    expected
        .iter()
        .filter(|line| !outcomes.contains(line))
        .map(move |line| {
            let instead = outcomes.iter().find(|other| name(other) == name(line));
            format!("{line}\n  but it is {instead:?}")
        })
}
