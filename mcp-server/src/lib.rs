//! MCP over xDS: Dubbo services as the configuration source of an Istio control plane.

pub mod proto;
pub mod session;
pub mod snapshot;
