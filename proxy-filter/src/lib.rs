//! Dubbo inside of Envoy: each call is an HTTP/2 request there, and a Dubbo frame again on the wire.
//!
//! ```text
//! app ─Dubbo→ DubboToHttp2 ─HTTP/2→ Envoy: HCM, routes, filters, cluster ─HTTP/2→ Http2ToDubbo ─Dubbo→ app
//! ```
//! The translators are bytes in, bytes out, and know nothing of Envoy; thin shells put them where
//! Envoy lets a module in.
//!
//! ```text
//! names, header          what a header is called, how text becomes its value
//! config, except, seal   options; addresses left alone; how one half knows what the other one sent
//! request, response      a frame's meaning as headers, and back
//! call                   one call of the bridge
//! hpack, http2           one HTTP/2 connection, in either role
//! to_http2, to_dubbo     the translators
//! authority              the same host names on connections that are HTTP/2 already
//! hold                   how long a call waits for the cluster of its route
//! observe, metrics       what is counted, and under which names
//! abi, envoy             Envoy's interface; its objects and their callbacks
//! guard, timer, worker   panics stay here; deadlines; what a worker's connections share
//! module, listener_filter, network_filter, http_filter, bridge, transport_socket     the hooks that Envoy calls
//! ```

mod abi;
pub mod authority;
mod bridge;
pub mod call;
pub mod config;
mod envoy;
pub mod except;
mod guard;
mod header;
pub mod hold;
pub mod hpack;
pub mod http2;
mod http_filter;
mod listener_filter;
pub mod metrics;
mod module;
pub mod names;
mod network_filter;
pub mod observe;
#[cfg(test)]
mod recorded;
pub mod request;
pub mod response;
mod seal;
mod timer;
pub mod to_dubbo;
pub mod to_http2;
mod translate;
mod transport_socket;
mod worker;

pub use translate::{Close, Millis};
