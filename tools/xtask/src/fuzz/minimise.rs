//! The corpora in the repository: few and small inputs that reach what all known ones reach.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::libfuzzer;
use crate::cargo::workspace;
use crate::progress::say;

/// What the corpus of a target may have, so that the repository stays small.
const MAX_FILES: usize = 60;
const MAX_BYTES: u64 = 64 * 1024;
/// Longer inputs are cut.
const MAX_LEN: &str = "-max_len=512";

/// Replaces the corpus of a target. Edges count and not how often they are taken, which would keep many more inputs.
pub(super) fn minimise(target: &str, program: &Path) -> Result<()> {
    let corpus = libfuzzer::corpus(target);
    let found = libfuzzer::found(target);
    let merged = format!("target/fuzz/minimised/{target}");
    let _ = fs::remove_dir_all(workspace().join(&merged));
    for folder in [&corpus, &found, &merged] {
        fs::create_dir_all(workspace().join(folder))?;
    }
    say(&format!("minimising the corpus of {target}"));
    let mut arguments = vec![merged.clone(), corpus.clone(), found];
    arguments
        .extend(["-merge=1", "-set_cover_merge=1", "-use_counters=0", MAX_LEN].map(str::to_owned));
    arguments.extend(libfuzzer::common());
    let (status, _) = libfuzzer::watch(target, program, &arguments, libfuzzer::Shown::Yes)?;
    if !status.success() {
        bail!("{target} fails on an input that it has; run cargo xtask fuzz {target}");
    }
    replace(target, &workspace().join(corpus), &workspace().join(merged))
}

fn replace(target: &str, corpus: &Path, merged: &Path) -> Result<()> {
    let files: Vec<_> = fs::read_dir(merged)?.collect::<Result<_, _>>()?;
    let mut bytes = 0;
    for file in &files {
        bytes += file.metadata()?.len();
    }
    say(&format!("{target}: {} inputs, {bytes} bytes", files.len()));
    ensure!(
        files.len() <= MAX_FILES && bytes <= MAX_BYTES,
        "a corpus has at most {MAX_FILES} inputs and {MAX_BYTES} bytes; the old one stays"
    );
    fs::remove_dir_all(corpus)?;
    fs::create_dir_all(corpus)?;
    for file in files {
        fs::copy(file.path(), corpus.join(file.file_name()))?;
    }
    Ok(())
}
