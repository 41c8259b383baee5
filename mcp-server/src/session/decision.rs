//! What a [`Session`](super::Session) answers with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dubbo_registry::resource::Kind;
use prost_types::value::Kind as Value;

use super::{ResourceSet, Version};
use crate::proto::Node;

/// One thing to do, or one thing that happened and is worth writing down. In order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The client said who it is.
    Identified(Client),
    /// A type was asked for for the first time. `kind` is `None` where we have nothing of it.
    Subscribed {
        /// As requested.
        type_url: Arc<str>,
        /// What it means here.
        kind: Option<Kind>,
    },
    /// A type was asked for again, without a nonce: it is answered in full.
    AskedAgain {
        /// As requested.
        type_url: Arc<str>,
    },
    /// The client holds this version.
    Acked {
        /// As requested.
        type_url: Arc<str>,
        /// What it holds.
        version: Version,
        /// From the decision to send to the acknowledgement.
        took: Duration,
    },
    /// The client refuses this version. It is not sent again.
    Nacked {
        /// As requested.
        type_url: Arc<str>,
        /// What it refuses.
        version: Version,
        /// What it says.
        reason: String,
    },
    /// A request that answers no response in flight, or asks for what is on its way.
    Ignored {
        /// As requested.
        type_url: Arc<str>,
    },
    /// Send this.
    Send(Response),
    /// End the stream. Always the last decision.
    Close(Close),
}

/// A full set for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Exactly as requested.
    pub type_url: Arc<str>,
    /// Names the response on its stream.
    pub nonce: String,
    /// The content; its version is the version of the response.
    pub set: ResourceSet,
}

/// Why a stream is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Close {
    /// No request came in this time.
    Silent(Duration),
    /// A request without a type URL: an aggregated stream has no default type.
    NoTypeUrl,
    /// A type URL of this many bytes.
    LongTypeUrl(usize),
    /// More types than this.
    TooManyTypes(usize),
    /// A response was neither read any further nor answered.
    NoAck {
        /// As requested.
        type_url: Arc<str>,
        /// For this long.
        after: Duration,
    },
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(time) => write!(f, "no request within {time:?}"),
            Self::NoTypeUrl => write!(f, "type_url is empty"),
            Self::LongTypeUrl(len) => write!(f, "a type_url of {len} bytes"),
            Self::TooManyTypes(max) => write!(f, "more than {max} types on one stream"),
            Self::NoAck { type_url, after } => {
                write!(f, "{type_url}: response not answered within {after:?}")
            }
        }
    }
}

/// Who the client says it is. Nothing of it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Node id; istiod: `sidecar~<ip>~<pod>.<namespace>~<domain>`.
    pub id: String,
    /// Node cluster; istiod sends none.
    pub cluster: String,
    /// Metadata ISTIO_REVISION, empty for the default revision.
    pub revision: String,
    /// Its software; istiod sends none.
    pub user_agent: String,
}

impl Client {
    /// Reads a node. Each text is cut at 256 characters: it goes into logs and listings.
    pub(super) fn of(node: &Node) -> Self {
        let cut = |text: &str| text.chars().take(256).collect::<String>();
        let metadata = node.metadata.as_ref();
        let revision = metadata.and_then(|m| m.fields.get("ISTIO_REVISION"));
        let revision = match revision.and_then(|value| value.kind.as_ref()) {
            Some(Value::StringValue(revision)) => cut(revision),
            _ => String::new(),
        };
        Self {
            id: cut(&node.id),
            cluster: cut(&node.cluster),
            revision,
            user_agent: cut(&node.user_agent_name),
        }
    }
}
