//! One flag for the linker of the shared object.

fn main() {
    // A thread of ours (src/timer.rs) outlives any one configuration, and Envoy closes a module with
    // the last configuration that names it: the code must stay where it is.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
}
