//! `cargo xtask sizes`: how large each component is, and which crates its code comes from.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use wasmparser::{KnownCustom, Name, Parser, Payload};

use crate::cargo::{self, WasmPackages};

/// Crates with less code than this, in bytes, are summed up.
const SHOWN: u64 = 1024;

pub(crate) fn run() -> Result<ExitCode> {
    let packages = WasmPackages::find()?;
    let folder = cargo::build_wasm_with_names(&packages.components)?;
    for package in &packages.components {
        let component = component(package);
        let release =
            cargo::workspace().join(format!("target/wasm32-wasip2/release/{component}.wasm"));
        let size = fs::metadata(&release).map(|file| file.len());
        let size = size.with_context(|| {
            format!(
                "{} is missing; run cargo xtask up or test first",
                release.display()
            )
        })?;
        println!("\n{component}.wasm: {size} bytes, of which code by crate:");
        let named = fs::read(folder.join(format!("{component}.wasm")))?;
        print_crates(&code_by_crate(&named)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// What a package makes: a component has the package's name, unless a crate has it already.
fn component(package: &str) -> &str {
    package.strip_suffix("-component").unwrap_or(package)
}

fn print_crates(crates: &BTreeMap<String, u64>) {
    let mut rows: Vec<_> = crates.iter().collect();
    rows.sort_by_key(|(name, size)| (std::cmp::Reverse(**size), (*name).clone()));
    let mut rest = 0;
    for (name, size) in rows {
        if *size < SHOWN {
            rest += size;
        } else {
            println!("{size:>8}  {name}");
        }
    }
    println!("{rest:>8}  all others");
}

/// Bytes of function bodies, by the crate that their symbol names first.
fn code_by_crate(component: &[u8]) -> Result<BTreeMap<String, u64>> {
    let mut crates = BTreeMap::new();
    let mut bodies: Vec<u64> = Vec::new();
    let mut imported = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } => {
                bodies.clear();
                imported = 0;
            }
            Payload::ImportSection(section) => imported = imported_functions(section)?,
            Payload::CodeSectionEntry(body) => bodies.push(u64::try_from(body.range().len())?),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    add_names(names, imported, &bodies, &mut crates)?;
                }
            }
            _ => {}
        }
    }
    Ok(crates)
}

fn imported_functions(section: wasmparser::ImportSectionReader<'_>) -> Result<usize> {
    let mut count = 0;
    for import in section.into_imports() {
        if matches!(import?.ty, wasmparser::TypeRef::Func(_)) {
            count += 1;
        }
    }
    Ok(count)
}

fn add_names(
    names: wasmparser::NameSectionReader<'_>,
    imported: usize,
    bodies: &[u64],
    crates: &mut BTreeMap<String, u64>,
) -> Result<()> {
    for name in names {
        let Name::Function(functions) = name? else {
            continue;
        };
        for function in functions {
            let function = function?;
            let index = usize::try_from(function.index)?.checked_sub(imported);
            if let Some(size) = index.and_then(|index| bodies.get(index)) {
                *crates.entry(crate_of(function.name)).or_default() += size;
            }
        }
    }
    Ok(())
}

/// The crate of a mangled symbol: the first path in `<core::fmt::X as core::Y>::z` or `serde::de::x`.
fn crate_of(symbol: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    let path = name.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
    let path = path.strip_prefix("mut ").unwrap_or(path);
    match path.split_once("::") {
        Some((name, _)) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => name.to_owned(),
        _ => "(no crate)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_belongs_to_the_crate_it_names_first() {
        assert_eq!(crate_of("_ZN4core3fmt5write17h0123456789abcdefE"), "core");
        assert_eq!(
            crate_of("<serde_json::Value as core::fmt::Debug>::fmt"),
            "serde_json"
        );
        assert_eq!(crate_of("memcpy"), "(no crate)");
    }
}
