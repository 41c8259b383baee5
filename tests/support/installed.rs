//! Where `tests/setup` has put the servers. The script owns the layout of its
//! cache and is asked for it.

use std::process::Command;
use std::sync::OnceLock;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/setup");

/// The path of a server's executable, or its Java class path.
///
/// # Panics
/// If it is not installed.
pub fn installed(name: &str) -> &'static str {
    static PATHS: OnceLock<String> = OnceLock::new();
    let paths = PATHS.get_or_init(|| {
        let output = Command::new(SCRIPT)
            .arg("--paths")
            .output()
            .expect("tests/setup");
        assert!(
            output.status.success(),
            "tests/setup --paths failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("paths in UTF-8")
    });
    let line = paths
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .find(|line| line[0] == name);
    match line.as_deref() {
        Some([_, path, "ok"]) => path,
        Some(_) => panic!("{name} is not installed: run tests/setup {name}"),
        None => panic!("tests/setup knows no {name}"),
    }
}
