//! What the architecture promises: arrows that point one way, between crates and within them, components that import
//! no more than `wit/worlds.wit` says, variables and log messages that are documented, variables that are granted to those
//! that read them, routes that are for whom `docs/access.md` says, tests that wait for conditions.

mod access;
mod grants;
mod messages;
mod modules;
mod packages;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the suites share it, and each uses a part of it"
)]
#[path = "../support/routes.rs"]
mod routes;
mod variables;
mod waiting;
mod worlds;

use std::path::{Path, PathBuf};

/// The components of `spin.toml`.
const COMPONENTS: [&str; 6] = ["write", "query", "search", "events", "health", "upkeep"];

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("a workspace").to_owned()
}
