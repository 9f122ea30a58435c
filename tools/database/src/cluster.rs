//! A server's folder: its data, its password, its log, and who may use it.
//!
//! ```text
//! owner.lock   held by the process that may start the server
//! server.log   locked as long as one process of the server lives: all of them inherit it
//! password     of the role `audit`; mode 0600
//! data/        PostgreSQL's own
//! ```

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use wheel::{hex, last_lines, lock_file};

use crate::home::Home;

/// The superuser of every cluster made here.
pub(crate) const ROLE: &str = "audit";

/// A server's folder, owned by this process.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    pub(crate) password: String,
    _owner: File,
}

impl Cluster {
    /// Opens the folder, and makes it and the data in it where they do not exist.
    pub(crate) fn open(home: &Home, binaries: &Path, folder: &Path) -> Result<Self> {
        home.make_private(folder)?;
        let owner = lock_file(&folder.join("owner.lock"))?;
        if let Err(TryLockError::WouldBlock) = owner.try_lock() {
            bail!(
                "another process runs the PostgreSQL in {}; stop that one first",
                folder.display()
            );
        }
        end_predecessor(folder, Duration::from_secs(10))?;
        let password = password(home, &folder.join("password"))?;
        let cluster = Self {
            folder: folder.to_owned(),
            password,
            _owner: owner,
        };
        if !cluster.data().is_dir() {
            cluster.initialize(home, binaries)?;
        }
        Ok(cluster)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// The end of the log: where PostgreSQL says why it did not start.
    pub(crate) fn log_end(&self) -> String {
        last_lines(&fs::read_to_string(self.log()).unwrap_or_default(), 3)
    }

    /// Opens the log for a new server, locked for as long as that server lives.
    pub(crate) fn open_log(&self) -> Result<File> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let log = open_log(&self.folder)?;
            match log.try_lock() {
                Ok(()) => return Ok(log),
                Err(TryLockError::Error(error)) => return Err(error.into()),
                // After a SIGKILL the server's processes take a moment to notice.
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    bail!(
                        "a process of the last PostgreSQL in {} does not end",
                        self.folder.display()
                    )
                }
            }
        }
    }

    fn initialize(&self, home: &Home, binaries: &Path) -> Result<()> {
        // Renamed when complete: an interrupted initdb leaves nothing that looks like data.
        let unfinished = self.folder.join("data.new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        let output = home
            .command(binaries.join("initdb"))
            .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
            // The caller's durability is a matter of the server's settings, not of this step.
            .args(["--no-sync", "--username", ROLE, "--pwfile"])
            .arg(self.folder.join("password"))
            .arg("--pgdata")
            .arg(&unfinished)
            .stdin(Stdio::null())
            .output()
            .context("cannot run initdb")?;
        if !output.status.success() {
            bail!(
                "initdb failed: {}",
                last_lines(&String::from_utf8_lossy(&output.stderr), 3)
            );
        }
        fs::rename(unfinished, self.data())?;
        Ok(())
    }
}

/// Removes the folders below `parent` whose owner is gone.
pub(crate) fn sweep(parent: &Path) -> Result<()> {
    for entry in fs::read_dir(parent)?.filter_map(Result::ok) {
        let folder = entry.path();
        if !folder.is_dir() {
            continue;
        }
        let owned = File::open(folder.join("owner.lock"))
            .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        if !owned {
            end_predecessor(&folder, Duration::ZERO)?;
            // The watcher of a killed run may be removing it too.
            let _ = fs::remove_dir_all(&folder);
        }
    }
    Ok(())
}

/// Ends the server that a killed process left behind. Its watcher normally does that, and has
/// `patience` for it.
fn end_predecessor(folder: &Path, patience: Duration) -> Result<()> {
    let steps = [
        (None, patience),
        (Some(Signal::INT), Duration::from_secs(10)),
        (Some(Signal::QUIT), Duration::from_secs(10)),
    ];
    for (signal, patience) in steps {
        let deadline = Instant::now() + patience;
        if let (Some(signal), Some(pid)) = (signal, postmaster(folder)) {
            // The lock proves that the server lives, so the process id is not another's.
            let _ = kill_process(pid, signal);
        }
        loop {
            match open_log(folder)?.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => break,
            }
        }
    }
    bail!(
        "an earlier PostgreSQL in {} does not end; end it by hand",
        folder.display()
    )
}

fn open_log(folder: &Path) -> Result<File> {
    let path = folder.join("server.log");
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn postmaster(folder: &Path) -> Option<Pid> {
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).ok()?;
    Pid::from_raw(text.lines().next()?.parse().ok()?)
}

/// 256 random bits, made once.
fn password(home: &Home, path: &Path) -> Result<String> {
    if path.is_file() {
        return Ok(fs::read_to_string(path)?.trim().to_owned());
    }
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let password = hex(&bytes);
    let folder = path.parent().unwrap_or(path);
    let file = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(file.path(), &password)?;
    fs::set_permissions(file.path(), Permissions::from_mode(0o600))?;
    home.give(file.path())?;
    file.persist(path)?;
    Ok(password)
}
