//! Dubbo registries to Istio resources.

pub mod event;
pub mod provider;
pub mod resource;
