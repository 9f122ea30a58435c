//! `cargo xtask browser`: whether anything of `corpus/markup` acts in a real browser after the service stored it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::cargo::{self, WasmPackages, cargo, succeed, workspace};
use crate::progress::say;
use crate::test::server;

/// Where distributions put Chromium.
const PLACES: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

#[derive(clap::Args)]
pub(crate) struct Browser {
    /// The browser [default: where Debian and others put Chromium]
    #[arg(long, value_name = "FILE", env = "CHROMIUM")]
    chromium: Option<PathBuf>,
}

impl Browser {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let chromium = find(self.chromium)?;
        install_scripts()?;
        cargo::build_wasm(WasmPackages::find()?.components.iter().map(String::as_str))?;
        let (_server, url) = server()?;

        say("putting texts into pages of Chromium");
        let mut command = cargo();
        command
            .args(["test", "-p", "host-tests", "--test", "markup"])
            .args(["--", "--include-ignored", "--nocapture"])
            .env("TEST_DATABASE_URL", url)
            .env("CHROMIUM", chromium);
        cargo::exit_code(&command)
    }
}

fn find(given: Option<PathBuf>) -> Result<PathBuf> {
    let places: Vec<PathBuf> = given.map_or_else(
        || PLACES.iter().map(PathBuf::from).collect(),
        |given| vec![given],
    );
    let found = places.iter().find(|place| place.exists());
    found.cloned().with_context(|| {
        let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
        format!(
            "there is no Chromium at {}; Debian's package is chromium, and --chromium names another one",
            places.join(", ")
        )
    })
}

/// Installs what the scripts need, in the versions that their lock file names, unless it is there.
fn install_scripts() -> Result<()> {
    let folder = workspace().join("host-tests/browser");
    // npm writes its own list of what it installed last of all.
    let installed = folder.join("node_modules/.package-lock.json");
    if is_newer(&installed, &folder.join("package-lock.json"))? {
        return Ok(());
    }
    say("installing playwright-core and the Markdown libraries");
    let mut command = Command::new("npm");
    command
        .current_dir(folder)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    succeed(&command, "npm could not install the scripts' packages")
        .context("Node.js 18 or newer and its npm are needed")
}

/// Whether a file is there and not older than another one, which must be there.
fn is_newer(file: &Path, than: &Path) -> Result<bool> {
    let Ok(file) = file.metadata() else {
        return Ok(false);
    };
    Ok(file.modified()? >= than.metadata()?.modified()?)
}
