//! The file with the records: JSON lines, compressed, and the checksum of what that makes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::manifest::Manifest;

/// Read at a time.
const PIECE: usize = 1 << 20;

/// A file that is being written. Until it is finished it has another name, and it goes with this value.
pub(crate) struct Writing {
    encoder: zstd::Encoder<'static, Summed>,
    path: PathBuf,
}

/// What reaches the disk, and its sum.
struct Summed {
    file: NamedTempFile,
    sum: Sha256,
    bytes: u64,
}

impl Writing {
    /// Begins the file that is to be at `path`.
    pub(crate) fn begin(path: PathBuf) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let begun = || -> io::Result<_> {
            let summed = Summed {
                file: NamedTempFile::new_in(folder)?,
                sum: Sha256::new(),
                bytes: 0,
            };
            zstd::Encoder::new(summed, zstd::DEFAULT_COMPRESSION_LEVEL)
        };
        let encoder = begun().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { encoder, path })
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        let added = self.encoder.write_all(line.as_bytes());
        let added = added.and_then(|()| self.encoder.write_all(b"\n"));
        added.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Gives the file its name, which no other has, and returns its length and its sum.
    pub(crate) fn finish(self) -> Result<(u64, String)> {
        let path = self.path;
        let finished = || -> io::Result<_> {
            let summed = self.encoder.finish()?;
            summed.file.as_file().sync_all()?;
            summed.file.persist_noclobber(&path)?;
            Ok((summed.bytes, hexadecimal(summed.sum)))
        };
        finished().with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if let Some(bytes) = bytes.get(..written) {
            self.sum.update(bytes);
        }
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Fails unless the file at `path` is the one that `manifest` speaks of, to the last bit.
pub(crate) fn verify(path: &Path, manifest: &Manifest) -> Result<()> {
    let place = path.display();
    let mut file = File::open(path).with_context(|| format!("cannot read {place}"))?;
    let bytes = file
        .metadata()
        .with_context(|| format!("cannot read {place}"))?
        .len();
    if bytes != manifest.bytes {
        bail!(
            "{place} has {bytes} bytes, and the manifest says {}: it is not whole",
            manifest.bytes
        );
    }
    let mut sum = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        let read = file
            .read(&mut piece)
            .with_context(|| format!("cannot read {place}"))?;
        match piece.get(..read) {
            Some([]) | None => break,
            Some(bytes) => sum.update(bytes),
        }
    }
    let sum = hexadecimal(sum);
    if sum != manifest.sha256 {
        bail!(
            "{place} is damaged: its checksum is {sum}, and the manifest says {}",
            manifest.sha256
        );
    }
    Ok(())
}

/// The lines of the file at `path`.
pub(crate) fn lines(path: &Path) -> Result<impl Iterator<Item = Result<String>>> {
    let place = path.display().to_string();
    let open = || File::open(path).and_then(zstd::Decoder::new);
    let decoder = open().with_context(|| format!("cannot read {place}"))?;
    let lines = BufReader::with_capacity(PIECE, decoder).lines();
    Ok(lines.map(move |line| line.with_context(|| format!("cannot read {place}"))))
}

fn hexadecimal(sum: Sha256) -> String {
    let mut digits = String::new();
    for byte in sum.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}
