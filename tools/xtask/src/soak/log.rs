//! The service's log, read as it grows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// What no line may have in it.
const FLAWS: [&str; 3] = ["panicked", "wasm trap", "\"status\":500"];

/// How far it was read.
pub(super) struct Log {
    path: PathBuf,
    read: u64,
    /// The beginning of a line that is not whole yet.
    rest: String,
}

impl Log {
    pub(super) fn of(path: PathBuf) -> Self {
        Self {
            path,
            read: 0,
            rest: String::new(),
        }
    }

    /// Lines since the last time that must not be.
    pub(super) fn new_flaws(&mut self) -> Vec<String> {
        // What cannot be read now is read the next time.
        let new = self.new_bytes().unwrap_or_default();
        self.read += new.len() as u64;
        self.rest.push_str(&String::from_utf8_lossy(&new));
        let Some(end) = self.rest.rfind('\n') else {
            return Vec::new();
        };
        let whole: String = self.rest.drain(..=end).collect();
        let is_flaw = |line: &&str| FLAWS.iter().any(|flaw| line.contains(flaw));
        whole.lines().filter(is_flaw).map(str::to_owned).collect()
    }

    fn new_bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut new = Vec::new();
        file.read_to_end(&mut new)?;
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_that_must_not_be_are_found_once_they_are_whole() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let mut log = Log::of(file.path().to_owned());
        let mut write = |text: &str| file.write_all(text.as_bytes()).expect("written");
        write("{\"status\":503}\nthread 'x' pani");
        assert_eq!(log.new_flaws(), [""; 0]);
        write("cked at y\n{\"status\":500}\n");
        let expected = ["thread 'x' panicked at y", "{\"status\":500}"];
        assert_eq!(log.new_flaws(), expected);
        assert_eq!(log.new_flaws(), [""; 0]);
    }
}
