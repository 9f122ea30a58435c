//! Where PostgreSQL's binaries and data are kept, and which user runs it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A folder that the user who runs PostgreSQL can reach.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) path: PathBuf,
    /// The user PostgreSQL runs as; `None` is the caller. PostgreSQL refuses to run as root.
    pub(crate) user: Option<User>,
}

/// An existing user without privileges.
#[derive(Clone, Debug)]
pub(crate) struct User {
    name: &'static str,
    uid: u32,
    gid: u32,
}

impl Home {
    /// `.cache` of the workspace; for root, where that is out of reach for other users (a
    /// checkout under `/root`), a folder in `/var/tmp` named after the workspace.
    pub(crate) fn find(progress: &dyn Fn(&str)) -> Result<Self> {
        let workspace = workspace();
        let cache = workspace.join(".cache");
        make_folder(&cache)?;
        if !rustix::process::geteuid().is_root() {
            return Ok(Self {
                path: cache,
                user: None,
            });
        }
        let user = User::unprivileged()?;
        if user.can_enter(&cache)? {
            return Ok(Self {
                path: cache,
                user: Some(user),
            });
        }
        let hash = wheel::sha256(workspace.as_os_str().as_encoded_bytes());
        let path = PathBuf::from(format!("/var/tmp/audit-store-{}", &hash[..12]));
        make_folder(&path)?;
        // Anyone may make files in /var/tmp, so a folder of that name may be someone else's.
        let found = fs::symlink_metadata(&path)?;
        if !found.is_dir() || found.uid() != 0 {
            bail!("{} is not root's folder; remove it", path.display());
        }
        progress(&format!(
            "PostgreSQL does not run as root and the user {} cannot reach {}; its files are in {}",
            user.name,
            cache.display(),
            path.display()
        ));
        Ok(Self {
            path,
            user: Some(user),
        })
    }

    /// A command that runs as the user of PostgreSQL, free of the caller's `PG…` variables.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        // Messages are matched by their English text.
        command.env("LC_ALL", "C").current_dir(&self.path);
        if let Some(user) = &self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Makes a folder that only the user of PostgreSQL may read.
    pub(crate) fn make_private(&self, path: &Path) -> Result<()> {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
        self.give(path)
    }

    /// Gives a file or folder to the user of PostgreSQL.
    pub(crate) fn give(&self, path: &Path) -> Result<()> {
        if let Some(user) = &self.user {
            chown(path, Some(user.uid), Some(user.gid))
                .with_context(|| format!("cannot give {} to {}", path.display(), user.name))?;
        }
        Ok(())
    }
}

impl User {
    fn unprivileged() -> Result<Self> {
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| {
                Some(Self {
                    name,
                    uid: id("-u", name)?,
                    gid: id("-g", name)?,
                })
            })
            .context(
                "PostgreSQL does not run as root, and there is no user postgres or nobody to run \
                 it; run this as another user, or set DATABASE_URL",
            )
    }

    fn can_enter(&self, path: &Path) -> Result<bool> {
        let status = Command::new("sh")
            .args(["-c", "cd -- \"$1\"", "sh"])
            .arg(path)
            .current_dir("/")
            .uid(self.uid)
            .gid(self.gid)
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("cannot run a command as the user {}", self.name))?;
        Ok(status.success())
    }
}

/// The root of the workspace that this crate was built in.
pub(crate) fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

/// Makes a folder that everyone may enter, whatever the umask.
fn make_folder(path: &Path) -> Result<()> {
    if !path.is_dir() {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn id(what: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([what, name]).output().ok()?;
    let id = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    (output.status.success() && id != 0).then_some(id)
}
