//! A program that runs itself again where nothing reaches the network and nothing is left behind.

use std::fs;
use std::process::ExitCode;

use support::{alone, target_dir};

/// This program in namespaces of its own, with the same arguments. What it leaves is in `name` below
/// `target/tmp`, emptied first. Its exit code, 2 if it was killed.
///
/// # Panics
/// If that directory cannot be made, or without setpriv of util-linux.
pub fn again(name: &str) -> ExitCode {
    let dir = target_dir().0.join("tmp").join(name);
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            panic!("{}: {error}", dir.display())
        }
        _ => fs::create_dir_all(&dir).expect("a directory"),
    }
    let mut command = alone(&dir);
    let status = command.args(std::env::args_os().skip(1)).status();
    let code = status.expect("setpriv of util-linux").code();
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(2))
}
