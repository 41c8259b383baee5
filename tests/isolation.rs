//! That a test which runs alone fails when it should, and leaves nothing behind.

use std::fs;
use std::net::TcpListener;
use std::panic::catch_unwind;
use std::process::Command;
use std::time::{Duration, Instant};

use support::{Process, fresh_dir, isolated, isolated_for};

/// Whether this is the process that `isolated` has started.
fn inside() -> bool {
    std::env::var_os("DUBBO_MESH_TEST_DIR").is_some()
}

#[test]
fn a_body_that_fails_fails_its_test() {
    let test = || isolated(async || panic!("as intended"));
    if inside() {
        test();
    } else {
        catch_unwind(test).unwrap_err();
    }
}

/// A name that libtest does not know selects no test, and an empty run is a
/// success for libtest.
#[test]
fn a_body_that_did_not_run_fails_its_test() {
    async fn elsewhere() {}
    if !inside() {
        catch_unwind(|| isolated(elsewhere)).unwrap_err();
    }
}

#[test]
fn a_body_that_hangs_is_ended_with_all_that_it_started() {
    const MARK: &str = "1217.1912";
    // Enough for the body to begin, on a busy machine too.
    const LIMIT: Duration = Duration::from_secs(8);
    let test = || {
        isolated_for(LIMIT, async || {
            let _sleeper = Process::spawn(&fresh_dir("sleeper"), Command::new("sleep").arg(MARK));
            std::future::pending().await
        });
    };
    if inside() {
        test();
    }
    let seen_running = std::thread::spawn(|| {
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            if any_process_has(MARK) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    });
    catch_unwind(test).unwrap_err();
    assert!(seen_running.join().unwrap());
    // The kernel kills the namespace in its own time.
    let began = Instant::now();
    while any_process_has(MARK) {
        assert!(began.elapsed() < Duration::from_secs(60), "it still runs");
    }
}

#[test]
fn a_body_has_only_a_loopback_interface() {
    isolated(async || {
        let names = fs::read_to_string("/proc/net/dev").unwrap();
        let names: Vec<&str> = names
            .lines()
            .skip(2)
            .filter_map(|line| line.split(':').next())
            .map(str::trim)
            .collect();
        assert_eq!(names, ["lo"]);
        TcpListener::bind("127.0.0.1:80").unwrap();
    });
}

fn any_process_has(argument: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let mut commands =
        processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    commands.any(|command| {
        command
            .split(|byte| *byte == 0)
            .any(|part| part == argument.as_bytes())
    })
}
