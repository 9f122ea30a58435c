//! What serves the components: Spin where it is installed, otherwise the native host of this workspace.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use database::{ChildProcess, IfAbandoned};

use crate::cargo::{self, Profile};
use crate::progress::say;

/// The oldest Spin that runs these components: they use the asynchronous interfaces of WASI 0.3.
const OLDEST: (u64, u64) = (4, 1);

/// A Spin that is new enough.
pub(super) struct Spin {
    program: OsString,
}

impl Spin {
    /// The Spin that the variable `SPIN` names, or the one on the search path if it is new enough.
    pub(super) fn find() -> Result<Option<Self>> {
        let named = std::env::var_os("SPIN").filter(|path| !path.is_empty());
        let program = named.clone().unwrap_or_else(|| "spin".into());
        let version = version(&program);
        match version {
            Some(version) if version >= OLDEST => {
                say("Spin serves the components");
                Ok(Some(Self { program }))
            }
            _ if named.is_some() => bail!(
                "SPIN names {}, which is no Spin {}.{} or newer",
                PathBuf::from(program).display(),
                OLDEST.0,
                OLDEST.1
            ),
            Some((major, minor)) => {
                say(&format!(
                    "the installed Spin {major}.{minor} is too old; the native host serves the components"
                ));
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

/// The version that `spin --version` prints, if it can be run.
fn version(program: &OsStr) -> Option<(u64, u64)> {
    let output = Command::new(program)
        .arg("--version")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// `spin 4.1.0-pre0 (94a8fc8 2026-02-01)`
fn parse_version(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.strip_prefix("spin ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What serves.
pub(super) enum Host {
    /// The native host of this workspace.
    Native(PathBuf),
    Spin(Spin),
}

impl Host {
    /// Serves `spin.toml` with these variables and this runtime config.
    pub(super) fn start(
        &self,
        listen: SocketAddr,
        variables: Vec<(&'static str, String)>,
        runtime_config: &Path,
    ) -> Result<ChildProcess> {
        say("starting the host");
        let listen = listen.to_string();
        let mut line = match self {
            Self::Native(program) => vec![program.as_os_str()],
            Self::Spin(spin) => vec![spin.program.as_os_str(), OsStr::new("up")],
        };
        line.extend(["--from", "spin.toml"].map(OsStr::new));
        let components = Profile::Quick.folder(&cargo::workspace().join("target"));
        if matches!(self, Self::Native(_)) {
            line.extend([OsStr::new("--components"), components.as_os_str()]);
        }
        line.extend([
            OsStr::new("--runtime-config-file"),
            runtime_config.as_os_str(),
        ]);
        line.extend(["--listen", &listen].map(OsStr::new));
        let mut shell = Command::new("sh");
        shell.current_dir(cargo::workspace()).envs(variables);
        // Spin serves in a process that it starts.
        let if_abandoned = match self {
            Self::Native(_) => IfAbandoned::ShutDown,
            Self::Spin(_) => IfAbandoned::EndGroup,
        };
        ChildProcess::start(&mut shell, &line, if_abandoned).context("the host does not start")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_its_first_two_numbers() {
        let version = |text| parse_version(text).filter(|version| *version >= OLDEST);
        assert_eq!(
            version("spin 4.1.0-pre0 (94a8fc8 2026-02-01)\n"),
            Some((4, 1))
        );
        assert_eq!(version("spin 10.0.0"), Some((10, 0)));
        assert_eq!(version("spin 3.9.1 (x)"), None);
        assert_eq!(version("SPIN: model checker"), None);
    }
}
