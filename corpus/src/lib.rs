//! Texts with and without secrets that redaction is measured with (`corpus/README.md` describes the files), what became of
//! the secrets, and combinations of families, forms, wrappers and noise from a seed.

mod chance;
mod combination;
mod family;
mod file;
mod marked;
pub mod target;
mod verdict;

pub use chance::Chance;
pub use combination::{Combination, combinations};
pub use family::{Family, REQUIRED};
pub use file::{Error, Harmless, Secrets, harmless, secrets};
pub use marked::{Marked, Part, Unbalanced};
pub use verdict::{Fate, Verdict, judge};
