//! MCP over xDS: Dubbo services as the configuration source of an Istio control plane.
//!
//! ```text
//! registries ─→ pipeline (adapter) ─→ snapshot ─watch→ server (session per stream) ─→ istiod
//!                                        └→ admin, telemetry
//! ```
//! Beside it: `convert` shows what would be served, `decode` what Dubbo traffic says.

pub mod adapter;
pub mod admin;
pub mod cli;
pub mod config;
pub mod convert;
pub mod decode;
mod line;
pub mod pipeline;
pub mod plan;
pub mod proto;
pub mod serve;
pub mod server;
pub mod session;
pub mod snapshot;
pub mod status;
pub mod telemetry;
