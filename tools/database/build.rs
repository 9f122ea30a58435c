//! Embeds every file of `migrations/`, so that a new migration needs no change of code.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Read when it runs: a target folder may serve several checkouts.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?;
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let folder = Path::new(&manifest).join("../../migrations");
    let out = Path::new(&out);
    fs::write(out.join("migrations.rs"), list(&folder)?)?;
    fs::write(out.join("vector_db.rs"), list(&folder.join("vector_db"))?)
}

/// The files of a folder as a slice of `Migration`s.
fn list(folder: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();

    let mut list = String::from("&[\n");
    for (version, path) in (1..).zip(&files) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let number = name.split_once('_').map_or("", |(number, _)| number);
        if number.len() != 4 || number.parse() != Ok(version) {
            println!(
                "cargo::error={} should be named {version:04}_<what it does>.sql: \
                 migrations are numbered from 0001 without gaps",
                path.display()
            );
        }
        println!("cargo::rerun-if-changed={}", path.display());
        let path = path.to_string_lossy();
        // Writing to a String cannot fail.
        let _ = writeln!(
            list,
            "    Migration {{ version: {version}, name: {name:?}, sql: include_str!({path:?}) }},"
        );
    }
    list.push_str("]\n");
    Ok(list)
}
