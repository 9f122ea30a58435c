//! The unpacking. Where there is pip there is Python, which saves compiling a library for zip files.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::pip::last_lines;
use crate::{Error, Wheel};

/// Extracts an archive into a folder. Beside what is in the files, it keeps which of them are programs.
const EXTRACT: &str = "
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    for member in archive.infolist():
        path = archive.extract(member, sys.argv[2])
        if (member.external_attr >> 16) & 0o100:
            os.chmod(path, 0o755)
";

/// Extracts the wheel `file` into the folder `target`.
pub(crate) fn extract(wheel: &Wheel, file: &Path, target: &Path) -> Result<(), Error> {
    let failed = |cause: String| Error::Extract {
        requirement: wheel.requirement,
        cause,
    };
    let output = Command::new("python3")
        .args(["-I", "-c", EXTRACT])
        .args([file, target])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("python3: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(last_lines(
        &String::from_utf8_lossy(&output.stderr),
        1,
    )))
}
