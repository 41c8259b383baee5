//! Our own binary and module, built from the sources at hand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::isolation::target_dir;

/// The directory that has both in it.
///
/// Cargo offers a test the binaries of its own package alone, and so that a test never runs yesterday's, they are
/// built here, which is quick when nothing has changed. In one go and of the whole workspace: what is asked for
/// decides with which features dependencies are built, and two questions of different packages would
/// each build anew what the other has just built, under the hands of tests that run.
///
/// # Panics
/// If they cannot be built.
pub(crate) fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let (target, profile_dir) = target_dir();
        let profile = match profile_dir.ends_with("debug") {
            true => "dev",
            false => "release",
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--offline", "--locked", "--workspace", "--lib"])
            .args(["--bin", "dubbo-mesh", "--profile", profile])
            .arg("--target-dir")
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        profile_dir
    })
}
