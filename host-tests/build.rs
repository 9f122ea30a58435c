//! Finds the WIT files inside the spin-sdk crate that the guests are built with, and hands their
//! place to `src/bindings.rs`: a host generated from any other copy could differ from its guests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../Cargo.lock");
    let wit = spin_sdk(&manifest).join("wit");
    assert!(wit.is_dir(), "spin-sdk has no folder {}", wit.display());

    let wit = wit.to_str().expect("the path of spin-sdk is not UTF-8");
    // `bindgen!` takes a literal path only, so the literal is put in by a macro made here.
    let wrapper = format!(
        "macro_rules! spin_bindgen {{\n    ($($options:tt)*) => {{\n        \
         ::wasmtime::component::bindgen!({{ path: {wit:?}, $($options)* }});\n    }};\n}}\n"
    );
    let out = Path::new(&variable("OUT_DIR")).join("spin_bindgen.rs");
    fs::write(&out, wrapper).unwrap_or_else(|e| panic!("cannot write {}: {e}", out.display()));
}

/// The folder of the spin-sdk crate in the workspace's dependency graph.
fn spin_sdk(manifest: &Path) -> PathBuf {
    let output = Command::new(variable("CARGO"))
        .args(["metadata", "--format-version=1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo metadata does not run");
    assert!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata did not print JSON");
    let found = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "spin-sdk")
        .and_then(|package| package["manifest_path"].as_str())
        .and_then(|path| Path::new(path).parent());
    found
        .expect("the workspace does not depend on spin-sdk")
        .to_owned()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|e| panic!("{name}: {e}"))
}
