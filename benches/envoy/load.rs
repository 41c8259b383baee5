//! One cell of the tables: one kind of call on one path at one rate.

use std::time::Duration;

use dubbo_mesh_benches::cpu;
use futures::future;

use crate::pace::{Pace, Schedule};
use crate::paths::Path;
use crate::payload::Payload;
use crate::provider::Provider;
use crate::record::Record;
use crate::{dubbo, http2};

/// A caller's connections to its provider, or to its sidecar.
pub(crate) const CONNECTIONS: u32 = 4;
/// Before each measurement, with the same connections at the same rate.
const WARM: Duration = Duration::from_millis(300);
/// The first calls are due so much later, when everybody is ready.
const AHEAD: Duration = Duration::from_millis(5);
/// Until the last answer is there.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    pub(crate) payload: Payload,
    /// Calls a second, over all connections.
    pub(crate) rate: u32,
    pub(crate) path: Path,
}

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// User and system time of all proxies on the road, for one call; of those that are idle where
    /// there are none.
    pub(crate) cpu: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Measures a cell; the processes are the caller's proxy and the provider's.
pub(crate) fn measure(
    cell: Cell,
    length: Duration,
    proxies: &[u32],
    provider: &Provider,
) -> Sample {
    let proxies = match cell.path.proxies() {
        0 => proxies,
        count => &proxies[..count],
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let measured = async {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(cell).await);
        }
        run(&mut connections, cell.rate, WARM).await;
        let answered = provider.answered();
        let before = spent(proxies);
        let records = run(&mut connections, cell.rate, length).await;
        let spent = spent(proxies) - before;
        let mut times: Vec<_> = records.into_iter().flat_map(Record::into_times).collect();
        assert_eq!(provider.answered() - answered, times.len(), "{cell:?}");
        times.sort_unstable();
        let calls = u32::try_from(times.len()).expect("some thousands");
        let share = |percent| times[(times.len() - 1) * percent / 100];
        Sample {
            cpu: spent / calls,
            p50: share(50),
            p99: share(99),
        }
    };
    let measured = runtime.block_on(async { tokio::time::timeout(PATIENCE, measured).await });
    measured.unwrap_or_else(|_| panic!("{cell:?}: no answers after {PATIENCE:?}"))
}

fn spent(proxies: &[u32]) -> Duration {
    proxies.iter().map(|pid| cpu(*pid)).sum()
}

/// Sends at the rate for so long on all connections, their calls evenly between one another.
async fn run(connections: &mut [Connection], rate: u32, length: Duration) -> Vec<Record> {
    let between = Duration::from_secs(1) / rate;
    let calls = (length.as_secs_f64() * f64::from(rate) / f64::from(CONNECTIONS)).ceil() as usize;
    let runs = (0..).zip(connections).map(|(n, connection)| {
        let (pace, schedule) = Pace::start(AHEAD + between * n, between * CONNECTIONS);
        connection.run(pace, schedule, calls)
    });
    future::join_all(runs).await
}

enum Connection {
    Dubbo(dubbo::Connection),
    Http2(Box<http2::Connection>),
}

impl Connection {
    async fn open(cell: Cell) -> Self {
        let (entry, payload) = (cell.path.entry(), cell.payload);
        match cell.path.is_dubbo() {
            true => Self::Dubbo(dubbo::Connection::open(entry, payload).await),
            false => Self::Http2(Box::new(http2::Connection::open(entry, payload).await)),
        }
    }

    async fn run(&mut self, pace: Pace, schedule: Schedule, calls: usize) -> Record {
        match self {
            Self::Dubbo(connection) => connection.run(pace, schedule, calls).await,
            Self::Http2(connection) => connection.run(pace, schedule, calls).await,
        }
    }
}
