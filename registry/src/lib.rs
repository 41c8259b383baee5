//! Dubbo registries to Istio resources.

pub mod event;
pub mod pattern;
pub mod ports;
pub mod provider;
pub mod resource;
pub mod vip;
pub mod workload;
