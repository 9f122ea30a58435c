//! Fuzz targets are compiled so that they count what they reach.

use std::process::Command;

use anyhow::{Context, Result};

use crate::building::{Build, Priority, Programs};
use crate::cargo::workspace;
use crate::progress::say;

/// Those of cargo-fuzz, without a sanitiser, which takes a nightly compiler, and without a call for each comparison: these
/// targets compare byte by byte, and the dictionaries have the words. The first four make LLVM count how often each edge of
/// the control flow is taken; then comparisons are kept from being merged.
const FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "--cfg",
    "fuzzing",
];

/// Builds targets in a folder of their own, because everything in it is compiled with these flags.
pub(super) fn build(targets: &[String]) -> Result<Programs> {
    say("building the fuzz targets");
    let folder = workspace().join("target/fuzz/build");
    let folder = folder.to_str().context("the path is not UTF-8")?;
    let host = host()?;
    // With a target named, the flags are for what runs there, and not for build scripts and procedural macros.
    let mut arguments = vec!["--profile", "fuzz", "-p", "fuzz"];
    arguments.extend(["--target", &host, "--target-dir", folder]);
    arguments.extend(targets.iter().flat_map(|target| ["--bin", target]));
    // It counts before all other ways to say flags.
    let flags = FLAGS.join("\x1f");
    let variables = [("CARGO_ENCODED_RUSTFLAGS", flags.as_str())];
    Build::start_with("fuzz targets", &arguments, Priority::Usual, &variables)?.wait()
}

/// What the compiler runs on, such as `x86_64-unknown-linux-gnu`.
fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(workspace())
        .output()
        .context("cannot run rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host
        .context("rustc does not say what it runs on")?
        .to_owned())
}
