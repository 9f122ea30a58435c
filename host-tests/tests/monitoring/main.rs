//! Dashboard, alerts, runbook and queries are held to the table of metrics (`crates/metrics/src/families.rs`) and to each other.
//! Whether alerts fire when something fails is seen by `cargo xtask drill`.

mod dashboard;
mod documents;
mod promql;
mod promtool;
mod runbook;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

/// The text of a file of the repository.
fn read(path: &str) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("a workspace").to_owned()
}
