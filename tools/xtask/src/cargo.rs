//! Building with cargo: what runs natively, and what runs as WebAssembly.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use database::{ChildProcess, IfAbandoned};
use serde_json::Value;

use crate::building::{Build, Priority, Programs};
use crate::progress::say;

/// What the components are built for.
const WASM: &str = "wasm32-wasip2";

/// The workspace's packages that are built for WebAssembly only.
pub(crate) struct WasmPackages {
    /// The components of `spin.toml`.
    pub(crate) components: Vec<String>,
    /// The components that test the native host, or measure it.
    pub(crate) guests: Vec<String>,
}

impl WasmPackages {
    pub(crate) fn find() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo metadata failed; see above");
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let in_folders = |folders: &[&str]| -> Vec<String> {
            let folders: Vec<_> = folders
                .iter()
                .map(|folder| workspace().join(folder))
                .collect();
            let packages = metadata["packages"].as_array().into_iter().flatten();
            packages
                .filter(|package| {
                    let manifest = package["manifest_path"].as_str().unwrap_or_default();
                    folders
                        .iter()
                        .any(|folder| Path::new(manifest).starts_with(folder))
                })
                .filter_map(|package| Some(package["name"].as_str()?.to_owned()))
                .collect()
        };
        Ok(Self {
            components: in_folders(&["components"]),
            guests: in_folders(&["host-tests/guests", "bench/bare", "bench/rules"]),
        })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.components
            .iter()
            .chain(&self.guests)
            .map(String::as_str)
    }
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

/// The cargo that runs this program.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// That cargo, in the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(program());
    command.current_dir(workspace());
    command
}

/// `-p` for each package.
pub(crate) fn select<'a>(packages: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    packages.flat_map(|package| ["-p", package]).collect()
}

/// `--exclude` for each package.
pub(crate) fn exclude<'a>(packages: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    packages
        .flat_map(|package| ["--exclude", package])
        .collect()
}

/// How components are built.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Release,
    /// Quickly, for whoever waits for them.
    Quick,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Quick => "quick",
        }
    }

    /// The folder that the components are in.
    pub(crate) fn folder(self, target: &Path) -> PathBuf {
        target.join(WASM).join(self.name())
    }
}

/// Starts to build components.
///
/// Always into `target`, because `spin.toml` names the files there, wherever
/// `CARGO_TARGET_DIR` puts the rest.
pub(crate) fn start_wasm<'a>(
    packages: impl Iterator<Item = &'a str>,
    profile: Profile,
    priority: Priority,
) -> Result<Build> {
    ensure_wasm_target()?;
    say("building the components");
    let arguments = arguments(&workspace().join("target"), profile, packages);
    Build::start("components", &arguments, priority)
}

/// Builds components, for release.
pub(crate) fn build_wasm<'a>(packages: impl Iterator<Item = &'a str>) -> Result<()> {
    start_wasm(packages, Profile::Release, Priority::Usual)?
        .wait()
        .map(drop)
}

/// The one component that has a profile of its own in `Cargo.toml`.
const NAMES_KEPT: &str = r#"profile.release.package.events-component.strip="none""#;

/// Builds components as for release, but with the names of their functions, and returns the folder
/// they are in.
pub(crate) fn build_wasm_with_names(packages: &[String]) -> Result<PathBuf> {
    ensure_wasm_target()?;
    say("building the components with names");
    let folder = workspace().join("target/sizes");
    let packages = packages.iter().map(String::as_str);
    let mut arguments = arguments(&folder, Profile::Release, packages);
    arguments.extend(["--config", NAMES_KEPT].map(OsString::from));
    let variables = [("CARGO_PROFILE_RELEASE_STRIP", "none")];
    Build::start_with("components", &arguments, Priority::Usual, &variables)?.wait()?;
    Ok(Profile::Release.folder(&folder))
}

fn arguments<'a>(
    folder: &Path,
    profile: Profile,
    packages: impl Iterator<Item = &'a str>,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "--profile",
        profile.name(),
        "--target",
        WASM,
        "--target-dir",
    ]
    .map(OsString::from)
    .into();
    arguments.push(folder.into());
    arguments.extend(select(packages).into_iter().map(OsString::from));
    arguments
}

/// Lints components as they are built.
pub(crate) fn clippy_wasm<'a>(packages: impl Iterator<Item = &'a str>) -> Result<()> {
    ensure_wasm_target()?;
    let mut command = cargo();
    command
        .args(["clippy", "--target", WASM])
        .args(select(packages))
        .args(["--", "-D", "warnings"]);
    succeed(&command, "clippy objects to the components")
}

/// Builds the programs that `arguments` of `cargo build` select.
pub(crate) fn build_programs(what: &str, arguments: &[&str]) -> Result<Programs> {
    start_programs(what, arguments, Priority::Usual)?.wait()
}

/// Starts to build the programs that `arguments` of `cargo build` select.
pub(crate) fn start_programs(what: &str, arguments: &[&str], priority: Priority) -> Result<Build> {
    say(&format!("building {what}"));
    let arguments: Vec<&str> = ["--bins"].iter().chain(arguments).copied().collect();
    Build::start(what, &arguments, priority)
}

/// Runs a command whose output the caller sees, and fails with `otherwise` if it fails.
pub(crate) fn succeed(command: &Command, otherwise: &str) -> Result<()> {
    if !status(command)?.success() {
        bail!("{otherwise}; see above");
    }
    Ok(())
}

/// Becomes another program, so that whatever ends this one ends that one.
pub(crate) fn become_program(command: &mut Command) -> Result<ExitCode> {
    let name = command.get_program().to_string_lossy().into_owned();
    Err(command.exec()).with_context(|| format!("cannot run {name}"))
}

/// The exit code of a command whose output the caller sees.
pub(crate) fn exit_code(command: &Command) -> Result<ExitCode> {
    let code = status(command)?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Runs a command, which ends with this program.
fn status(command: &Command) -> Result<ExitStatus> {
    let mut shell = Command::new("sh");
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let program = [command.get_program()].into_iter();
    let line: Vec<&OsStr> = program.chain(command.get_args()).collect();
    ChildProcess::start(&mut shell, &line, IfAbandoned::EndGroup)?.wait()
}

/// Installs the WebAssembly target where it is missing.
fn ensure_wasm_target() -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", WASM])
        .current_dir(workspace())
        .output()
        .context("cannot run rustc")?;
    let folder = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    say(&format!("installing the Rust target {WASM}"));
    let mut rustup = Command::new("rustup");
    rustup
        .args(["target", "add", WASM])
        .current_dir(workspace());
    succeed(
        &rustup,
        "the Rust target wasm32-wasip2 is missing and rustup could not install it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_runs_with_its_own_environment_and_folder() {
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "[ -z \"$HOME\" ] && [ \"$GIVEN\" = 1 ] && [ \"$PWD\" = / ]",
            ])
            .current_dir("/")
            .env("GIVEN", "1")
            .env_remove("HOME");
        assert!(std::env::var_os("HOME").is_some());
        assert!(status(&command).unwrap().success());
    }
}
