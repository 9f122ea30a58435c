//! `cargo xtask schemathesis`: made-up requests against a running instance, after `docs/openapi.yaml`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use url::Url;

use crate::cargo::{self, workspace};
use crate::progress::say;

/// The release that the API's description is checked with.
const PACKAGE: &str = "schemathesis==4.32.5";

/// Starts it from the folder that pip installed it into.
const START: &str = "from schemathesis.cli import schemathesis; schemathesis()";

#[derive(clap::Args)]
pub(crate) struct Schemathesis {
    /// The instance, which must have an embedding provider, for example <http://127.0.0.1:3000>
    #[arg(long)]
    url: Url,
    /// Made-up requests for each operation and phase
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_examples: u32,
}

impl Schemathesis {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let folder = installed()?;
        let hooks = workspace().join("host-tests/schemathesis");
        let modules = std::env::join_paths([folder, hooks])?;
        let url = self.url.as_str().trim_end_matches('/');
        let mut command = Command::new("python3");
        command
            // It leaves a folder of its own where it runs.
            .current_dir(workspace().join(".cache"))
            .env("PYTHONPATH", modules)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // What JSON Schema cannot say, for example that an end is not before its start.
            .env("SCHEMATHESIS_HOOKS", "hooks")
            .args(["-c", START, "run", "../docs/openapi.yaml", "--url", url])
            .args(["--checks", "all"])
            .args(["--suppress-health-check", "filter_too_much"])
            // One worker: two trip over a race in CPython 3.11 now and then.
            .args(["--continue-on-failure", "--workers", "1"])
            .args(["--max-examples", &self.max_examples.to_string()]);
        cargo::become_program(&mut command)
    }
}

/// Installs schemathesis, unless it is there, and returns the folder.
fn installed() -> Result<PathBuf> {
    let folder = workspace().join(".cache").join(PACKAGE);
    if folder.join("schemathesis").is_dir() {
        return Ok(folder);
    }
    say("installing schemathesis");
    let partial = folder.with_extension("partial");
    let target: OsString = partial.clone().into();
    let installed = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PACKAGE,
            "--target",
        ])
        .arg(target)
        .status()
        .context("cannot run python3; install it with its pip")?;
    if !installed.success() {
        bail!("pip could not install {PACKAGE}; see above");
    }
    std::fs::rename(&partial, &folder)?;
    Ok(folder)
}
