//! Short makers for tests: a provider from its URL, a mesh at its defaults, a source's events.

use std::sync::Arc;
use std::time::Duration;

use dubbo_codec::ServiceKey;

use crate::event::{Event, News, ProviderList, SourceId, SourceState};
use crate::mesh::Mesh;
use crate::provider::{Provider, Reading};
use crate::removal::Time;

pub(crate) fn provider(url: &str) -> Arc<Provider> {
    let reading = Reading {
        labels: ["revision".into(), "zone".into()].into(),
    };
    Arc::new(Provider::parse_standalone(url, &reading).unwrap())
}

pub(crate) fn mesh() -> Mesh {
    Mesh::default()
}

pub(crate) fn key(text: &str) -> Arc<ServiceKey> {
    Arc::new(text.parse().unwrap())
}

pub(crate) fn at(millis: u64) -> Time {
    Time(Duration::from_millis(millis))
}

pub(crate) fn source(name: &str) -> SourceId {
    SourceId(name.into())
}

pub(crate) fn says(name: &str, news: News) -> Event {
    Event {
        source: source(name),
        news,
    }
}

/// "The providers of `list` are now these", by URL.
pub(crate) fn set(list: &str, urls: &[&str]) -> News {
    News::Providers(ProviderList {
        list: list.into(),
        providers: urls.iter().map(|url| provider(url)).collect(),
        rejected: Vec::new(),
    })
}

/// A whole reading of one source, and live from then on.
pub(crate) fn reading(name: &str, lists: Vec<News>) -> Vec<Event> {
    let begin = [News::Restarted];
    let end = [News::Synced, News::State(SourceState::Live)];
    begin
        .into_iter()
        .chain(lists)
        .chain(end)
        .map(|news| says(name, news))
        .collect()
}
