//! A double of istiod's configuration client (istio `pkg/adsc/adsc.go`): asks as it asks, checks
//! what it would silently drop, keeps a store as it keeps one, and acknowledges everything.
//!
//! The real istiod is the proof; this one is quick, and says what was wrong.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use tonic::Status;
use tonic::transport::Channel;

use crate::messages::{DiscoveryRequest, DiscoveryResponse, McpResource, Node};
use crate::wire::{Wire, answer};

/// Releases differ in the type URLs that they ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    UpTo1_23,
    From1_24,
    From1_30,
}

impl Profile {
    /// `core/v1alpha1/MeshConfig`, then `collections.Pilot` in its order.
    pub(crate) fn types(self) -> Vec<&'static str> {
        let old = matches!(self, Self::UpTo1_23);
        let pick = |before, since| if old { before } else { since };
        let mut types = vec![
            "core/v1alpha1/MeshConfig",
            pick(
                "security.istio.io/v1beta1/AuthorizationPolicy",
                "security.istio.io/v1/AuthorizationPolicy",
            ),
            pick(
                "networking.istio.io/v1alpha3/DestinationRule",
                "networking.istio.io/v1/DestinationRule",
            ),
            "networking.istio.io/v1alpha3/EnvoyFilter",
            pick(
                "networking.istio.io/v1alpha3/Gateway",
                "networking.istio.io/v1/Gateway",
            ),
            pick(
                "security.istio.io/v1beta1/PeerAuthentication",
                "security.istio.io/v1/PeerAuthentication",
            ),
            "networking.istio.io/v1beta1/ProxyConfig",
            pick(
                "security.istio.io/v1beta1/RequestAuthentication",
                "security.istio.io/v1/RequestAuthentication",
            ),
            self.service_entry(),
            pick(
                "networking.istio.io/v1alpha3/Sidecar",
                "networking.istio.io/v1/Sidecar",
            ),
            pick(
                "telemetry.istio.io/v1alpha1/Telemetry",
                "telemetry.istio.io/v1/Telemetry",
            ),
        ];
        if matches!(self, Self::From1_30) {
            types.push("extensions.istio.io/v1alpha1/TrafficExtension");
        }
        types.extend([
            pick(
                "networking.istio.io/v1alpha3/VirtualService",
                "networking.istio.io/v1/VirtualService",
            ),
            "extensions.istio.io/v1alpha1/WasmPlugin",
            pick(
                "networking.istio.io/v1alpha3/WorkloadEntry",
                "networking.istio.io/v1/WorkloadEntry",
            ),
            pick(
                "networking.istio.io/v1alpha3/WorkloadGroup",
                "networking.istio.io/v1/WorkloadGroup",
            ),
        ]);
        types
    }

    pub(crate) fn service_entry(self) -> &'static str {
        match self {
            Self::UpTo1_23 => "networking.istio.io/v1alpha3/ServiceEntry",
            Self::From1_24 | Self::From1_30 => "networking.istio.io/v1/ServiceEntry",
        }
    }
}

/// What one response made of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) type_url: String,
    pub(crate) created: Vec<String>,
    pub(crate) updated: Vec<String>,
    pub(crate) deleted: Vec<String>,
}

impl Applied {
    pub(crate) fn changes(&self) -> usize {
        self.created.len() + self.updated.len() + self.deleted.len()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) version: String,
    pub(crate) body: Vec<u8>,
}

/// The client; its store outlives its streams.
pub(crate) struct Adsc {
    types: Vec<&'static str>,
    store: BTreeMap<String, BTreeMap<String, Stored>>,
    pub(crate) wire: Option<Wire>,
}

impl Adsc {
    pub(crate) fn new(profile: Profile) -> Self {
        let mut types = profile.types();
        types.push("no.such.istio.io/v7/Thing");
        Self {
            types,
            store: BTreeMap::new(),
            wire: None,
        }
    }

    /// Opens a stream and asks for everything at once, without versions, node on the first only.
    pub(crate) async fn connect(&mut self, channel: Channel) -> Result<(), Status> {
        let wire = Wire::open(channel).await?;
        for (at, type_url) in self.types.iter().enumerate() {
            wire.say(DiscoveryRequest {
                node: (at == 0).then(node),
                type_url: (*type_url).into(),
                response_nonce: format!("2026-11-22 10:00:00.{at} +0000 UTC m=+0.{at}"),
                ..DiscoveryRequest::default()
            });
        }
        self.wire = Some(wire);
        Ok(())
    }

    /// Reads one response, applies and acknowledges it.
    pub(crate) async fn next(&mut self) -> Applied {
        let response = self.wire.as_mut().unwrap().next().await.unwrap();
        let applied = self.apply(&response);
        self.wire.as_ref().unwrap().say(DiscoveryRequest {
            node: Some(node()),
            ..answer(&response)
        });
        applied
    }

    /// Reads until each of these types was answered; what came of each.
    pub(crate) async fn answers(&mut self, types: &[&str]) -> BTreeMap<String, Applied> {
        let mut missing: BTreeSet<&str> = types.iter().copied().collect();
        let mut answers = BTreeMap::new();
        while !missing.is_empty() {
            let applied = self.next().await;
            let asked = missing.remove(&*applied.type_url);
            assert!(
                asked,
                "{} is answered twice, or was not asked for",
                applied.type_url
            );
            answers.insert(applied.type_url.clone(), applied);
        }
        answers
    }

    /// Reads until every requested type was answered: istiod is ready then.
    pub(crate) async fn sync(&mut self) -> BTreeMap<String, Applied> {
        self.answers(&self.types.clone()).await
    }

    pub(crate) fn stored(&self, type_url: &str) -> BTreeMap<String, Stored> {
        self.store.get(type_url).cloned().unwrap_or_default()
    }

    /// `handleMCP`: what cannot be read is as if it were not there; a known object changes only if
    /// its version does; what is not in the response is deleted.
    fn apply(&mut self, response: &DiscoveryResponse) -> Applied {
        assert!(
            self.types.contains(&&*response.type_url),
            "{:?} was not asked for",
            response.type_url
        );
        let mut applied = Applied {
            type_url: response.type_url.clone(),
            ..Applied::default()
        };
        let store = self.store.entry(response.type_url.clone()).or_default();
        let mut received = BTreeSet::new();
        for any in &response.resources {
            let (name, object) = object(any);
            assert!(received.insert(name.clone()), "{name} is there twice");
            match store.get_mut(&name) {
                None => {
                    store.insert(name.clone(), object);
                    applied.created.push(name);
                }
                Some(known) if known.version != object.version => {
                    *known = object;
                    applied.updated.push(name);
                }
                Some(known) => assert_eq!(*known, object, "{name} changed under one version"),
            }
        }
        applied.deleted = store
            .keys()
            .filter(|name| !received.contains(*name))
            .cloned()
            .collect();
        store.retain(|name, _| received.contains(name));
        applied
    }
}

/// Every rule that istiod would enforce by silence.
fn object(any: &prost_types::Any) -> (String, Stored) {
    assert_eq!(
        any.type_url,
        "type.googleapis.com/istio.mcp.v1alpha1.Resource"
    );
    let resource = McpResource::decode(&*any.value).unwrap();
    let metadata = resource.metadata.unwrap();
    assert_eq!(metadata.name.matches('/').count(), 1, "{:?}", metadata.name);
    assert!(
        metadata.create_time.is_some(),
        "{} has no create_time",
        metadata.name
    );
    assert!(
        !metadata.version.is_empty(),
        "{} has no version",
        metadata.name
    );
    let body = resource.body.unwrap();
    let of_istio = body
        .type_url
        .starts_with("type.googleapis.com/istio.networking.v1alpha3.");
    assert!(of_istio, "{}", body.type_url);
    (
        metadata.name,
        Stored {
            version: metadata.version,
            body: body.value,
        },
    )
}

/// As istiod describes itself (`buildNode`).
fn node() -> Node {
    let text = |s: &str| prost_types::Value::from(s);
    let fields = [
        ("GENERATOR".to_owned(), text("api")),
        ("ISTIO_REVISION".to_owned(), text("canary")),
        ("ISTIO_VERSION".to_owned(), text("65536.65536.65536")),
    ];
    Node {
        id: "sidecar~10.0.0.1~istiod-0.istio-system~istio-system.svc.cluster.local".into(),
        metadata: Some(prost_types::Struct {
            fields: fields.into(),
        }),
    }
}
