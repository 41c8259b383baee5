//! Each kind of real server starts, and is what the other tests take it for.

mod dubbo;
mod istio;
mod thrown;
mod zookeeper;
