//! `cargo xtask check`: format, lints, dependencies.

use std::process::{ExitCode, Stdio};

use anyhow::Result;

use crate::cargo::{WasmPackages, cargo, clippy_wasm, exclude, succeed};
use crate::progress::say;

pub(crate) fn run() -> Result<ExitCode> {
    let packages = WasmPackages::find()?;
    say("checking the format");
    let mut format = cargo();
    format.args(["fmt", "--all", "--check"]);
    succeed(&format, "the format is not right; run cargo fmt --all")?;

    say("checking the native packages");
    let mut clippy = cargo();
    clippy
        .args(["clippy", "--workspace", "--all-targets"])
        .args(exclude(packages.all()))
        .args(["--", "-D", "warnings"]);
    succeed(&clippy, "clippy objects to a native package")?;

    say("checking the components");
    clippy_wasm(packages.all())?;

    check_dependencies()?;
    Ok(ExitCode::SUCCESS)
}

fn check_dependencies() -> Result<()> {
    let installed = cargo()
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        say("cargo-deny is not installed: licences and advisories are not checked");
        return Ok(());
    }
    say("checking licences and advisories");
    let mut deny = cargo();
    deny.args(["deny", "check"]);
    succeed(&deny, "cargo-deny objects to a dependency")
}
