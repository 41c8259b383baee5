//! Our own binary, built from the sources at hand.

use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use crate::built::built;
use crate::isolation::{fresh_dir, work_dir};
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

fn binary() -> PathBuf {
    built().join("dubbo-mesh")
}
