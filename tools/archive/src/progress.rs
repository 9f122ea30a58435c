//! What is said while it works.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar: in place on a terminal, elsewhere nothing but a line about what begins.
pub(crate) fn bar(what: String, count: i64) -> ProgressBar {
    eprintln!("==> {what}: {count}");
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {per_sec}, {eta} left");
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or_default()).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(500));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
