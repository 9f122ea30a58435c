//! `files`: folders of this machine that the instances of a component may read.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/loader/src/local.rs`,
//! `crates/factor-wasi/src/spin.rs` and `crates/factor-wasi/src/lib.rs`. Spin says that a destination must be absolute, and
//! does not look; here another one is an error.

use std::fs;
use std::path::{Component, Path, PathBuf, absolute};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use wasmtime_wasi::{DirPerms, FilePerms, WasiCtxBuilder};

use crate::manifest::Placement;

/// What one component sees. Nothing, if it has no `files`.
#[derive(Default)]
pub(crate) struct Files {
    mounts: Vec<Mount>,
    /// Where the copies are. They are gone with this value.
    _copies: Option<TempDir>,
}

/// A folder and the path by which it is seen.
struct Mount {
    folder: PathBuf,
    seen_as: String,
}

impl Files {
    /// The folders of a component of `manifest`: themselves if they are mounted `directly`, or else copies of them in a single
    /// folder.
    ///
    /// # Errors
    /// A source that is no folder or, to be copied, lies outside the folder of the manifest; a destination that is not
    /// absolute; whatever keeps a file from being copied.
    pub(crate) fn new(placements: &[Placement], manifest: &Path, directly: bool) -> Result<Self> {
        if placements.is_empty() {
            return Ok(Self::default());
        }
        let manifest = absolute(manifest)?;
        let application = manifest.parent().unwrap_or(&manifest);
        for placement in placements {
            check(placement, application)?;
        }
        if directly {
            Self::direct(placements)
        } else {
            Self::copied(placements, application)
        }
    }

    /// As in Spin, a relative source starts at the current folder and not at that of the manifest.
    fn direct(placements: &[Placement]) -> Result<Self> {
        let mount = |placement: &Placement| {
            let folder = absolute(&placement.source)?;
            ensure!(
                folder.is_dir(),
                "there is no folder {}, where direct mounts look for the source {:?} in files: give its absolute path, or \
                 start the host in the folder of the manifest",
                folder.display(),
                placement.source
            );
            Ok(Mount {
                folder,
                seen_as: placement.destination.clone(),
            })
        };
        Ok(Self {
            mounts: placements.iter().map(mount).collect::<Result<_>>()?,
            _copies: None,
        })
    }

    fn copied(placements: &[Placement], application: &Path) -> Result<Self> {
        let copies = tempfile::tempdir().context("there is no folder for the copies of files")?;
        for placement in placements {
            let source = application.join(&placement.source);
            ensure!(
                source.starts_with(application),
                "the source {:?} in files is outside {}: only direct mounts may be",
                placement.source,
                application.display()
            );
            let destination = placement.destination.trim_start_matches('/');
            let destination = copies.path().join(destination);
            let because = || format!("cannot copy the source {:?} in files", placement.source);
            fs::create_dir_all(&destination).with_context(because)?;
            copy(&source, &destination).with_context(because)?;
        }
        let mount = Mount {
            folder: copies.path().to_owned(),
            seen_as: "/".to_owned(),
        };
        Ok(Self {
            mounts: vec![mount],
            _copies: Some(copies),
        })
    }

    /// Gives an instance its folders, to read and not to write.
    ///
    /// # Errors
    /// A folder is no longer there.
    pub(crate) fn mount(&self, context: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        for Mount { folder, seen_as } in &self.mounts {
            context.preopened_dir(folder, seen_as, DirPerms::READ, FilePerms::READ)?;
        }
        Ok(())
    }
}

fn check(placement: &Placement, application: &Path) -> Result<()> {
    let source = application.join(&placement.source);
    ensure!(
        source.is_dir(),
        "the source {:?} in files is not a folder: there is no {}",
        placement.source,
        source.display()
    );
    let destination = Path::new(&placement.destination);
    ensure!(
        destination.is_absolute()
            && !destination
                .components()
                .any(|part| part == Component::ParentDir),
        "the destination {:?} in files is not an absolute path, free of `..`",
        placement.destination
    );
    Ok(())
}

/// Copies what links lead to, whether files or folders. A link that leads nowhere is left out, as are folders without a file.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else if from.is_file() {
            let folder = to.parent().unwrap_or(&to);
            let copied = fs::create_dir_all(folder).and_then(|()| fs::copy(&from, &to));
            copied.with_context(|| from.display().to_string())?;
        }
    }
    Ok(())
}
