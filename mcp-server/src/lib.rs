//! MCP over xDS: Dubbo services as the configuration source of an Istio control plane.

pub mod admin;
pub mod proto;
pub mod server;
pub mod session;
pub mod snapshot;
pub mod telemetry;
