//! Starts and stops the real servers that the integration tests need.
//!
//! A test is an ordinary `#[test]` whose body is given to [`isolated`]: it runs
//! in a process of its own with its own network, so that every server has its
//! usual port, tests run side by side, and nothing outlives its test.
//!
//! ```text
//! #[test]
//! fn a_provider_is_seen() {
//!     isolated(async || {
//!         let zookeeper = ZooKeeper::start(ZooKeeperVersion::V3_9).await;
//!         let provider = ProviderSettings::new(DubboVersion::V3_3, zookeeper.registry())
//!             .protocol("dubbo", 20880)
//!             .service(Service::new("com.acme.Greeter").set("version", "1.0.0"))
//!             .start()
//!             .await;
//!         // ... and the servers stop at the end of the block
//!     });
//! }
//! ```
//!
//! Waiting is always [`wait_until`] something is seen, never a sleep. What a
//! test leaves behind, the log of every server above all, is in
//! `target/tmp/real/<test>/`; the ends of the logs are printed when it fails.
//!
//! Errors panic: a server that does not start is a failed test.

mod built;
mod certificates;
mod consumer;
mod dubbo;
mod dubbo_mesh;
mod envoy;
mod envoy_admin;
mod filter;
mod frame;
mod http;
mod installed;
mod isolation;
mod istiod;
mod java;
mod kubernetes;
mod network;
mod pod;
mod process;
mod provider;
mod sampler;
mod secrets;
mod service;
mod tree;
mod wait;
mod wire;
mod zookeeper;
mod zookeeper_settings;

pub use certificates::{Authority, Certificate};
pub use consumer::{Consumer, ConsumerSettings};
pub use dubbo::DubboVersion;
pub use dubbo_mesh::{DubboMesh, dubbo_mesh};
pub use envoy::EnvoySettings;
pub use envoy_admin::Envoy;
pub use filter::{module_dir, shipped};
pub use frame::attachment;
pub use http::{Answer, get};
pub use installed::installed;
pub use isolation::{alone, fresh_dir, is_alone, isolated, isolated_for, target_dir, work_dir};
pub use istiod::{Istiod, IstiodSettings};
pub use kubernetes::{Kubernetes, without_certificates};
pub use network::{GATEWAY, Namespace, SIDECAR_USER};
pub use pod::{pod, service_of_pod};
pub use process::Process;
pub use provider::{Provider, ProviderSettings, Service};
pub use rustix::process::Signal;
pub use sampler::SamplerConsumer;
pub use secrets::Secrets;
pub use service::{grpc_service, http_service};
pub use tree::{Node, create, tree};
pub use wait::wait_until;
pub use wire::{Answer as CallAnswer, Call, Deed, Methods, WireConsumer, WireProvider};
pub use zookeeper::{Ensemble, ZooKeeper};
pub use zookeeper_settings::{ZooKeeperSettings, ZooKeeperVersion};
