//! What has to be built before anything can be served.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::host::{Host, Spin};
use crate::auth;
use crate::building::{Builds, Priority};
use crate::cargo::{self, Profile, WasmPackages};

/// Builds the components, the native host unless Spin serves them, and the stand-in for the Kubernetes API server if
/// there is to be one.
pub(super) async fn build(spin: Option<Spin>, auth: bool) -> Result<(Host, Option<PathBuf>)> {
    let packages = WasmPackages::find()?;
    let mut builds = Vec::new();
    // Spin takes the components from where `spin.toml` says.
    let (mut profile, mut priority) = (Profile::Release, Priority::Usual);
    // In one call of cargo, which compiles what they share once.
    let mut native = Vec::new();
    if spin.is_none() {
        native.push(("native host", "host-tests"));
        profile = Profile::Quick;
        // The host takes longer, and its last crates need one core each. The components take what that leaves.
        priority = Priority::Low;
    }
    if auth {
        native.push(("API server", auth::PACKAGE));
    }
    if !native.is_empty() {
        let (names, packages): (Vec<_>, Vec<_>) = native.into_iter().unzip();
        builds.push(cargo::start_programs(
            &names.join(" and "),
            &cargo::select(packages.into_iter()),
            Priority::Usual,
        )?);
    }
    builds.push(cargo::start_wasm(select(&packages), profile, priority)?);
    let mut programs = Builds::from(builds).wait().await?;
    let mut program = |name: &str| {
        let program = programs.remove(name);
        program.with_context(|| format!("cargo did not say where it put the program {name}"))
    };
    let host = match spin {
        Some(spin) => Host::Spin(spin),
        None => Host::Native(program("host")?),
    };
    let api_server = auth.then(|| program(auth::PACKAGE)).transpose()?;
    Ok((host, api_server))
}

/// The components without the guests that only tests need.
fn select(packages: &WasmPackages) -> impl Iterator<Item = &str> {
    packages.components.iter().map(String::as_str)
}
