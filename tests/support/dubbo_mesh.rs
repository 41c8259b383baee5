//! Our own binary, built from the sources at hand.

use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output};
use std::sync::OnceLock;
use std::time::Duration;

use crate::isolation::{fresh_dir, target_dir, work_dir};
use crate::process::Process;

const STOP: Duration = Duration::from_secs(60);

/// A `dubbo-mesh` that runs. It is killed when dropped.
#[derive(Debug)]
pub struct DubboMesh {
    process: Process,
}

impl DubboMesh {
    /// Starts it with these arguments, `serve` first, and does not wait.
    #[must_use]
    pub fn launch(arguments: &[&str]) -> Self {
        let dir = fresh_dir("dubbo-mesh");
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(&dir);
        Self {
            process: Process::spawn(&dir, &mut command),
        }
    }

    /// Its process: log, signals, and waiting.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(mut self) -> ExitStatus {
        self.process.terminate(STOP).await
    }
}

/// Runs it to its end: `convert`, `check`.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn dubbo_mesh(arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .current_dir(work_dir())
        .output()
        .expect("dubbo-mesh")
}

/// Cargo offers a test the binaries of its own package alone, and so that a test
/// never runs yesterday's binary, it is built here, which is quick when nothing
/// has changed. Of the whole workspace: so it shares what `cargo test` built.
fn binary() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let (target, profile_dir) = target_dir();
        let profile = if profile_dir.ends_with("debug") {
            "dev"
        } else {
            "release"
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "build",
                "--offline",
                "--locked",
                "--workspace",
                "--bin",
                "dubbo-mesh",
                "--profile",
                profile,
            ])
            .arg("--target-dir")
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        profile_dir.join("dubbo-mesh")
    });
    built.clone()
}
