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
mod fresh;
mod place;
mod stage;
mod table;
mod unified;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use support::{DubboVersion, Istiod, isolated_for};

use super::complaints;

use access::{end, seen};
use combination::{Combination, Dials, End, Mode, Mtls, Serialization};
use place::Place;
use stage::{Caller, Stage};
use table::TABLE;
use unified::Protocol;

/// The access log is written within 50 ms, and of a connection at its end.
const LOGGED: Duration = Duration::from_secs(60);

#[test]
fn every_version_calls_every_other_as_without_the_mesh() {
    isolated_for(Duration::from_secs(900), async || {
        let mut stage = Stage::start().await;
        let virtual_addresses = virtual_addresses(&stage.istiod).await;
        let trials = |end: End| {
            let of_table = TABLE
                .iter()
                .filter(move |row| row.caller == end)
                .map(Trial::of);
            let unified = unified::trials()
                .into_iter()
                .filter(move |_| end == End::Filter);
            of_table.chain(unified)
        };
        let [bare, plain, filtered] = &mut stage.callers;
        let ((direct, bare), plain, filtered) = futures::join!(
            async {
                let all = [End::Bare, End::Sidecar, End::Filter]
                    .into_iter()
                    .flat_map(trials);
                let direct = without_a_mesh(bare, all).await;
                (
                    direct,
                    shown(bare, trials(End::Bare), &virtual_addresses).await,
                )
            },
            shown(plain, trials(End::Sidecar), &virtual_addresses),
            shown(filtered, trials(End::Filter), &virtual_addresses),
        );
        let all: Vec<Shown> = bare.into_iter().chain(plain).chain(filtered).collect();
        assert_eq!(all.len(), TABLE.len() + 8);
        let wrong: Vec<String> = all.iter().flat_map(|one| one.against(&direct)).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(complaints(&stage.istiod), [""; 0]);
        fresh::is_callable_at_once(&mut stage).await;
    });
}

/// All calls of one consumer to one place.
struct Trial {
    row: Combination,
    place: Place,
    /// Of a place that has two.
    protocol: Option<Protocol>,
}

/// What the outcomes without a mesh depend on.
type Direct = (
    &'static str,
    &'static str,
    Serialization,
    Dials,
    Option<Protocol>,
);

impl Trial {
    fn of(row: &Combination) -> Self {
        Self {
            row: *row,
            place: Place::of(row),
            protocol: None,
        }
    }

    fn direct(&self) -> Direct {
        let row = &self.row;
        let (consumer, provider) = (row.consumer.number(), row.provider.number());
        (
            consumer,
            provider,
            row.serialization,
            row.dials,
            self.protocol,
        )
    }

    /// The settings of a reference to `place`, or to what is dialled for it.
    fn reference(&self, place: &Place, dialled: SocketAddr) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("group", place.group.clone()),
            ("timeout", "20000".to_owned()),
        ];
        let scheme = match (self.protocol, self.row.dials) {
            (Some(Protocol::Triple), _) => Some("tri"),
            (_, Dials::Service) => Some("dubbo"),
            (_, Dials::Provider) => None,
        };
        if let Some(scheme) = scheme {
            settings.push(("url", format!("{scheme}://{dialled}/{}", stage::INTERFACE)));
        }
        if self.protocol == Some(Protocol::Dubbo) {
            settings.push(("protocol", "dubbo".to_owned()));
        }
        // Older ones know of one serialization, which is the provider's: hessian2.
        if matches!(self.row.consumer, DubboVersion::V3_2 | DubboVersion::V3_3) {
            let name = self.row.serialization.name();
            settings.push(("parameters.prefer.serialization", name.to_owned()));
            settings.push(("parameters.serialization", name.to_owned()));
        }
        settings
    }
}

/// What a trial showed.
struct Shown {
    trial: Trial,
    /// Of its calls.
    outcomes: Vec<String>,
    /// What is not right with the way that they took.
    wrong: Vec<String>,
}

impl Shown {
    /// What is not as it has to be.
    fn against(&self, direct: &BTreeMap<Direct, Vec<String>>) -> Vec<String> {
        let name = format!("{:?} {:?}", self.trial.row, self.trial.protocol);
        let mut wrong: Vec<String> = self
            .wrong
            .iter()
            .map(|what| format!("{name}: {what}"))
            .collect();
        let expected = match self.trial.protocol {
            Some(Protocol::Triple) => unified::outcomes(&self.trial.row),
            _ => expected::outcomes(&self.trial.row),
        };
        wrong.extend(differences(&expected, &self.outcomes).map(|line| format!("{name}: {line}")));
        let direct = &direct[&self.trial.direct()];
        if *direct != self.outcomes {
            wrong.push(format!("{name}: without the mesh they differ:"));
            wrong.extend(differences(direct, &self.outcomes));
        }
        wrong
    }
}

/// The outcomes where no sidecar is at either end.
async fn without_a_mesh(
    caller: &mut Caller,
    trials: impl Iterator<Item = Trial>,
) -> BTreeMap<Direct, Vec<String>> {
    let mut all = BTreeMap::new();
    for trial in trials {
        if all.contains_key(&trial.direct()) {
            continue;
        }
        let place = match trial.protocol {
            Some(_) => trial.place.clone(),
            None => Place::at(trial.row.provider, End::Bare, Mode::Tcp, Mtls::Permissive),
        };
        let settings = trial.reference(&place, place.address);
        let outcomes = caller.consumer(trial.row.consumer).all(&settings).await;
        all.insert(trial.direct(), outcomes);
    }
    all
}

/// What the trials of this caller show.
async fn shown(
    caller: &mut Caller,
    trials: impl Iterator<Item = Trial>,
    virtual_addresses: &BTreeMap<String, IpAddr>,
) -> Vec<Shown> {
    let mut all = Vec::new();
    for trial in trials {
        let place = &trial.place;
        let dialled = match trial.row.dials {
            Dials::Provider => place.address,
            Dials::Service => {
                SocketAddr::from((virtual_addresses[&place.host()], place.address.port()))
            }
        };
        let since = end();
        let settings = trial.reference(place, dialled);
        let mut outcomes = caller.consumer(trial.row.consumer).all(&settings).await;
        if trial.protocol == Some(Protocol::Triple) {
            outcomes = outcomes
                .iter()
                .map(|one| unified::without_headers_of_envoy(one))
                .collect();
        }
        let wrong = way(&trial, caller, dialled, since).await;
        all.push(Shown {
            trial,
            outcomes,
            wrong,
        });
    }
    all
}

/// What is not right with the way that the calls of a trial took, as the sidecars saw them.
async fn way(trial: &Trial, caller: &Caller, dialled: SocketAddr, since: usize) -> Vec<String> {
    let Trial {
        row,
        place,
        protocol,
    } = trial;
    let at_caller = match protocol {
        Some(Protocol::Triple) => unified::at_caller(row.consumer),
        _ => expected::at_caller(row, place),
    };
    let callers = (caller.name.to_owned(), dialled, at_caller);
    let callees = (
        stage::pod_name(row.provider),
        place.address,
        expected::at_callee(row, place),
    );
    let mut wrong = Vec::new();
    for (pod, address, expected) in [callers, callees] {
        let began = Instant::now();
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
    let missing = expected.iter().filter(|line| !outcomes.contains(line));
    missing.map(move |line| {
        let instead = outcomes.iter().find(|other| name(other) == name(line));
        format!("{line}\n  but it is {instead:?}")
    })
}
