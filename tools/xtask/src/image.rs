//! `cargo xtask image`: the images that `deploy/` names.

mod context;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::cargo::{self, WasmPackages, succeed, workspace};
use crate::progress::say;

/// What builds images from a Containerfile, the one that needs least first.
const BUILDERS: [&str; 3] = ["buildah", "podman", "docker"];

/// The programs of the image of the tools, and their packages.
const TOOLS: [&str; 5] = ["migrate", "backfill", "project", "archive", "restore"];
const TOOL_PACKAGES: [&str; 4] = ["migrate", "backfill", "project", "archive"];

#[derive(clap::Args)]
pub(crate) struct Image {
    /// Where the images will be pushed: they are called `REGISTRY/audit-store` and `REGISTRY/audit-store-tools`
    #[arg(long, value_name = "REGISTRY", default_value = "ghcr.io/kubernaut")]
    registry: String,
    /// Only make the folders that the images are built from
    #[arg(long)]
    context_only: bool,
}

impl Image {
    pub(crate) fn run(self) -> Result<ExitCode> {
        cargo::build_wasm(WasmPackages::find()?.components.iter().map(String::as_str))?;
        let mut arguments = vec!["--release"];
        arguments.extend(cargo::select(TOOL_PACKAGES.into_iter()));
        let programs = cargo::build_programs("the tools", &arguments)?;

        let root = workspace();
        let target = root.join("target/image");
        let service = target.join("service");
        context::service(&root, &service)?;
        let tools = target.join("tools");
        let programs = TOOLS.map(|name| {
            let program = programs.get(name);
            program.with_context(|| format!("cargo did not say where it put {name}"))
        });
        let programs = programs.into_iter().collect::<Result<Vec<_>>>()?;
        context::tools(&root, &programs, &tools)?;

        let images = [("audit-store", service), ("audit-store-tools", tools)];
        let builder = BUILDERS.into_iter().find(|builder| works(builder));
        for (name, folder) in &images {
            let tag = format!("{}/{name}:{}", self.registry, env!("CARGO_PKG_VERSION"));
            match builder {
                Some(builder) if !self.context_only => build(builder, folder, &tag)?,
                _ => println!("{tag} is built from {}", folder.display()),
            }
        }
        if builder.is_none() {
            say(
                "there is no buildah, podman or docker that works here: nothing was built. Where there is one, run it in each of these folders: \
                 `buildah build --tag TAG FOLDER`",
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a builder is installed and, for docker, its daemon there.
fn works(builder: &str) -> bool {
    let command = if builder == "docker" {
        "info"
    } else {
        "--version"
    };
    let status = Command::new(builder)
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn build(builder: &str, folder: &Path, tag: &str) -> Result<()> {
    say(&format!("building {tag} with {builder}"));
    let mut command = Command::new(builder);
    command
        .args(["build", "--tag", tag, "--file"])
        .arg(folder.join("Containerfile"))
        .arg(folder);
    succeed(&command, "the image was not built")?;
    println!("{tag}");
    Ok(())
}
