//! `./demo --once`, from its first step to its last: its exit status says whether each was as expected.

use std::process::Command;

#[test]
fn the_demo_shows_what_it_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--once")
        .output()
        .unwrap();
    let [said, complained] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert_eq!(output.status.code(), Some(0), "{said}\n{complained}");
    // Fifteen lines of calls, and two of what became of the dead.
    assert_eq!(said.matches("  ok: ").count(), 17, "{said}");
}
