//! `cargo xtask blackbox`: the black-box suite against any running instance.

use std::process::ExitCode;

use anyhow::Result;
use url::Url;

use crate::cargo::{self, cargo};

#[derive(clap::Args)]
pub(crate) struct Blackbox {
    /// The instance, for example <http://127.0.0.1:3000>
    #[arg(long)]
    url: Url,
}

impl Blackbox {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut command = cargo();
        command
            .args(["test", "-p", "host-tests", "--test", "blackbox"])
            .env("BLACKBOX_URL", self.url.as_str().trim_end_matches('/'));
        cargo::become_program(&mut command)
    }
}
