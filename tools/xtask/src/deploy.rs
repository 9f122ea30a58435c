//! `cargo xtask deploy`: what a cluster is given, printed.

mod kubectl;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};

use crate::cargo::{self, workspace};

#[derive(clap::Args)]
pub(crate) struct Deploy {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print all documents of a target, as `kubectl apply -k` would send them
    Render(Render),
}

#[derive(clap::Args)]
struct Render {
    /// Which folder of `deploy`
    #[arg(long, required_unless_present = "folder")]
    target: Option<Target>,
    /// A kustomization of your own
    #[arg(long, value_name = "FOLDER", conflicts_with = "target")]
    folder: Option<PathBuf>,
    /// The kubectl whose kustomize puts the documents together [default: a pinned one, downloaded once]
    #[arg(long, value_name = "FILE", env = "KUBECTL")]
    kubectl: Option<PathBuf>,
}

/// The kustomizations of `deploy`.
#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// A Deployment
    Kubernetes,
    /// A `SpinApp`
    Spinkube,
    /// A Deployment with all options
    Everything,
}

impl Target {
    fn folder(self) -> PathBuf {
        workspace().join("deploy").join(match self {
            Self::Kubernetes => "kubernetes",
            Self::Spinkube => "spinkube",
            Self::Everything => "everything",
        })
    }
}

impl Deploy {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            Action::Render(render) => render.run(),
        }
    }
}

impl Render {
    fn run(self) -> Result<ExitCode> {
        let folder = self.folder.or_else(|| Some(self.target?.folder()));
        let folder = folder.context("there is neither a target nor a folder")?;
        let kubectl = match self.kubectl {
            Some(kubectl) => kubectl,
            None => kubectl::installed()?,
        };
        let mut command = Command::new(kubectl);
        command.arg("kustomize").arg(folder);
        cargo::become_program(&mut command)
    }
}
