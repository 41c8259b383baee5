//! Integration tests of dubbo-mesh: one binary, see `main.rs`.
