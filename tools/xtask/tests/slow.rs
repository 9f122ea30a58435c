//! What takes minutes and the whole machine. `cargo xtask test --slow` runs it after all other tests: this package is
//! the last by name.

use std::process::Command;

/// `bench --quick` fails where a request is not answered, or not with what was asked for.
#[test]
#[ignore = "takes minutes; cargo xtask test --slow runs it"]
fn the_benchmarks_run_and_every_answer_is_right() {
    let status = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["bench", "--quick"])
        .status()
        .expect("xtask starts");
    assert!(
        status.success(),
        "cargo xtask bench --quick: {status}; its own words are above"
    );
}
