use std::fs::File;
use std::path::Path;

use crate::Error;

/// Opens a file that exists to be locked.
pub fn lock_file(path: &Path) -> Result<File, Error> {
    File::create(path).map_err(|source| Error::Lock {
        path: path.to_owned(),
        source,
    })
}
