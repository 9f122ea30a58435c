//! What an archive says of itself.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use audit::Kind;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::month::Month;

/// What the months of events go by, where those of records have their kind.
pub const EVENTS: &str = "events";

/// How the names of manifests end.
const ENDING: &str = ".manifest.json";

/// What an archive is and how it is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Whose records it has, or [`EVENTS`].
    pub kind: String,
    /// From which month.
    pub month: Month,
    /// How many records, or events.
    pub records: i64,
    /// How many earlier states of them; events have none.
    pub versions: i64,
    /// How long the file with the records is, compressed.
    pub bytes: u64,
    /// SHA-256 of that file, as hexadecimal digits.
    pub sha256: String,
    /// The newest table migration of the database that it comes from.
    pub schema: i32,
    /// The moment as of which it was written, as PostgreSQL prints it.
    pub archived_at: String,
}

/// The files of one archive.
pub(crate) struct Files {
    pub(crate) manifest: PathBuf,
    pub(crate) records: PathBuf,
}

impl Files {
    /// Those of a kind and month in a folder.
    pub(crate) fn of(folder: &Path, kind: &str, month: &Month) -> Self {
        Self {
            manifest: folder.join(format!("{kind}-{month}{ENDING}")),
            records: folder.join(format!("{kind}-{month}.jsonl.zst")),
        }
    }
}

impl Manifest {
    /// What it has, for people.
    pub fn contents(&self) -> String {
        let Self {
            records, versions, ..
        } = self;
        if self.kind == EVENTS {
            format!("{records} events")
        } else {
            format!("{records} records, {versions} versions")
        }
    }

    /// Reads the manifest at `path`, and says where its records are: beside it.
    pub(crate) fn read(path: &Path) -> Result<(Self, PathBuf)> {
        let place = path.display();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !name.ends_with(ENDING) {
            bail!("{place} is no manifest; its name ends with {ENDING}");
        }
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {place}"))?;
        let manifest: Self =
            serde_json::from_str(&text).with_context(|| format!("{place} is no manifest"))?;
        if Kind::parse(&manifest.kind).is_none() && manifest.kind != EVENTS {
            bail!(
                "{place} is no manifest: {:?} is no kind of records",
                manifest.kind
            );
        }
        let files = Files::of(
            path.parent().unwrap_or(Path::new("")),
            &manifest.kind,
            &manifest.month,
        );
        if files.manifest.file_name() != path.file_name() {
            bail!(
                "{place} is the manifest of {} {}, and is not called so",
                manifest.kind,
                manifest.month
            );
        }
        Ok((manifest, files.records))
    }

    /// Writes it to `path`, where there is none: the whole of it or nothing.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        self.write_and_sync(path, fs::File::sync_all)
    }

    fn write_and_sync(
        &self,
        path: &Path,
        sync: impl FnOnce(&fs::File) -> io::Result<()>,
    ) -> Result<()> {
        let place = path.display();
        let folder = path.parent().unwrap_or(Path::new(""));
        let written = || -> Result<()> {
            let names = fs::File::open(folder)?;
            let mut file = NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist_noclobber(path)?;
            // So that the names survive a crash, too. There is no manifest without records, and those are removed if this fails.
            sync(&names).inspect_err(|_| {
                let _ = fs::remove_file(path);
            })?;
            Ok(())
        };
        written().with_context(|| format!("cannot write {place}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            kind: "workflow".to_owned(),
            month: "2025-03".parse().unwrap(),
            records: 0,
            versions: 0,
            bytes: 0,
            sha256: "00".to_owned(),
            schema: 5,
            archived_at: "2025-04-02 00:00:00+00".to_owned(),
        }
    }

    #[test]
    fn a_manifest_whose_name_may_be_lost_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workflow-2025-03.manifest.json");
        let error = manifest()
            .write_and_sync(&path, |_| {
                assert!(path.exists());
                Err(io::Error::other("no sync"))
            })
            .unwrap_err();
        assert!(format!("{error:#}").contains("no sync"), "{error:#}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        manifest().write(&path).unwrap();
        assert_eq!(Manifest::read(&path).unwrap().0, manifest());
    }
}
