//! Dubbo inside of Envoy: each call is an HTTP/2 request there, and a Dubbo frame again on the wire.
//!
//! ```text
//! app ─Dubbo→ DubboToHttp2 ─HTTP/2→ Envoy: HCM, routes, filters, cluster ─HTTP/2→ Http2ToDubbo ─Dubbo→ app
//! ```
//! The translators are bytes in, bytes out, and know nothing of Envoy; thin shells put them where
//! Envoy lets a module in.

pub mod hpack;
pub mod http2;
