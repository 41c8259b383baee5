//! The Java virtual machine, as small and quick to start as it gets.

use std::path::Path;
use std::process::Command;

use crate::installed::installed;

/// `java` for a server that `tests/setup` knows by `name`, up to the main class.
/// `home` holds what the program writes; it may hold configuration too.
pub(crate) fn java(name: &str, home: &Path) -> Command {
    let mut command = Command::new("java");
    command
        .args([
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.net.preferIPv4Stack=true",
            // Otherwise a file in /tmp, which stays there when it is killed.
            "-XX:-UsePerfData",
        ])
        // Dubbo 2.x starts no further without it; 3.x cannot read exceptions.
        .args(["--add-opens", "java.base/java.lang=ALL-UNNAMED"])
        .arg(format!("-Duser.home={}", home.display()))
        .arg(format!("-Djava.io.tmpdir={}", home.display()))
        .arg("-Dorg.slf4j.simpleLogger.showDateTime=true")
        .arg("-cp")
        .arg(format!("{}:{}", home.display(), installed(name)))
        .current_dir(home);
    command
}
