//! Embeds every SQL file, so that a new one needs no change of code.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    // Read when it runs: a target folder may serve several checkouts.
    let here = env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?;
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let (here, out) = (Path::new(&here), Path::new(&out));
    fs::write(out.join("primary.rs"), constants(here, "")?)?;
    fs::write(out.join("vector_db.rs"), constants(here, "vector_db/")?)
}

/// `TABLES`, `FUNCTIONS` and `FUNCTIONS_DIGEST` of the database whose folders are below `folder`.
fn constants(here: &Path, folder: &str) -> io::Result<String> {
    let tables = files(here, &format!("{folder}tables"))?;
    for (number, file) in (1..).zip(&tables) {
        if file.number != number {
            println!(
                "cargo::error={}.sql should be {number:04}_<what it does>.sql: tables are numbered from 0001 without gaps",
                file.name
            );
        }
    }
    let functions = files(here, &format!("{folder}functions"))?;
    let mut digest = Sha256::new();
    for file in &functions {
        for part in [file.name.as_bytes(), &fs::read(&file.path)?] {
            digest.update(part);
            digest.update([0]);
        }
    }
    let mut digits = String::new();
    for byte in digest.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(format!(
        "/// What was applied to the tables so far, in order. Never changed, only added to.\n\
         pub const TABLES: &[Migration] = {};\n\n\
         /// Functions and views as they are now, in the order in which they need each other.\n\
         pub const FUNCTIONS: &[Migration] = {};\n\n\
         /// SHA-256 over the names and texts of [`FUNCTIONS`], each followed by a zero byte, as hexadecimal digits.\n\
         pub const FUNCTIONS_DIGEST: &str = {digits:?};\n",
        list(&tables),
        list(&functions)
    ))
}

struct File {
    /// Below `migrations`, without `.sql`.
    name: String,
    /// With which the file's name begins.
    number: u32,
    path: PathBuf,
}

/// The SQL files of a folder, in order of their names.
fn files(here: &Path, folder: &str) -> io::Result<Vec<File>> {
    let folder_path = here.join(folder);
    println!("cargo::rerun-if-changed={}", folder_path.display());
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder_path)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    let file = |path: PathBuf| {
        println!("cargo::rerun-if-changed={}", path.display());
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let number = stem
            .split_once('_')
            .and_then(|(number, _)| number.parse().ok());
        if number.is_none() {
            println!(
                "cargo::error={} should begin with a number and _",
                path.display()
            );
        }
        File {
            name: format!("{folder}/{stem}"),
            number: number.unwrap_or_default(),
            path,
        }
    };
    Ok(paths.into_iter().map(file).collect())
}

/// Files as a slice of `Migration`s.
fn list(files: &[File]) -> String {
    let mut list = String::from("&[\n");
    for File { name, number, path } in files {
        let path = path.to_string_lossy();
        // Writing to a String cannot fail.
        let _ = writeln!(
            list,
            "    Migration {{ version: {number}, name: {name:?}, sql: include_str!({path:?}) }},"
        );
    }
    list.push(']');
    list
}
