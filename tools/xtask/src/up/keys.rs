//! The keys of the log of events: what seals it, and what signs its exports.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cargo::workspace;
use crate::progress::say;

/// A variable of the service, the file that its value is kept in, and what makes one.
type Key = (&'static str, &'static str, fn() -> String);

const KEYS: [Key; 2] = [
    ("SPIN_VARIABLE_CHAIN_KEY", "chain_key", chain_key),
    ("SPIN_VARIABLE_EXPORT_KEY", "export_key", export_key),
];

/// Where they are kept.
const FOLDER: &str = ".cache/log-keys";

/// The variables that are set nowhere else. A key is made once and kept beside the database: what it has sealed cannot be verified
/// without it.
pub(super) fn variables() -> Result<Vec<(&'static str, String)>> {
    let folder = workspace().join(FOLDER);
    let is_given = |variable: &str| std::env::var_os(variable).is_some_and(|key| !key.is_empty());
    let missing = KEYS.iter().filter(|(variable, ..)| !is_given(variable));
    missing
        .map(|(variable, file, make)| Ok((*variable, kept(&folder.join(file), *make)?)))
        .collect()
}

/// What seals the log of a service that was brought up: every key that verifies it. Nothing before the first time.
pub(crate) fn chain_keys() -> Option<String> {
    let [(variable, file, _), _] = KEYS;
    let given = std::env::var(variable).ok().filter(|keys| !keys.is_empty());
    let kept = || fs::read_to_string(workspace().join(FOLDER).join(file)).ok();
    given.or_else(kept).map(|keys| keys.trim().to_owned())
}

/// The key in a file, which is made if there is none.
fn kept(path: &Path, make: fn() -> String) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(key) => return Ok(key.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
        Err(_) => {}
    }
    let key = make();
    write(path, &key).with_context(|| format!("cannot write {}", path.display()))?;
    say(&format!(
        "made a key of the log, kept in {}",
        path.display()
    ));
    Ok(key)
}

/// Writes a file that nobody else may read.
fn write(path: &Path, key: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{key}")
}

/// As the variable `chain_key` has one: an id and a secret.
fn chain_key() -> String {
    format!("dev:{}", random())
}

/// As the variable `export_key` has one: the seed of an Ed25519 key.
fn export_key() -> String {
    random()
}

/// 32 random bytes in base64.
fn random() -> String {
    STANDARD.encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/chain_key");
        let key = kept(&path, chain_key).unwrap();
        assert!(key.starts_with("dev:") && key.len() > 40, "{key}");
        assert_eq!(kept(&path, chain_key).unwrap(), key);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_export_key_is_a_seed() {
        assert_eq!(STANDARD.decode(export_key()).unwrap().len(), 32);
    }
}
