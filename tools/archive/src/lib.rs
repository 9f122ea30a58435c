//! Archives of months: what `cargo xtask archive` writes and `cargo xtask restore` reads back.
//!
//! An archive is two files: the records, or events, as compressed JSON lines, and a [`Manifest`] that says what is in them. The manifest comes
//! last, so there is none without a whole archive. Vectors are not in it: restored records are embedded like any others without one.
//!
//! Modules from the bottom up: `month`, `manifest`, `file`, `progress`, `session`, `archive`, `restore`.

mod archive;
mod file;
mod manifest;
mod month;
mod progress;
mod restore;
mod session;

pub use archive::{archive, archived, kinds_of};
pub use manifest::{EVENTS, Manifest};
pub use month::{Month, NoMonth};
pub use restore::{RestoreOptions, Restored, restore};
