//! Dubbo registries to Istio resources.

pub mod catalog;
pub mod event;
#[cfg(test)]
mod making;
pub mod mesh;
mod names;
pub mod pattern;
pub mod ports;
pub mod proto;
pub mod provider;
pub mod removal;
pub mod resource;
pub mod services;
pub mod vip;
pub mod workload;
