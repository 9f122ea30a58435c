//! What instances have of WASI: their environment, their files, their output, clocks and random numbers.
//!
//! Spin offers sockets and the files of WASI p3 too. No component here has a use for them, and linking them takes a third of the
//! time that this package takes to build.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-wasi/src/lib.rs`.

use std::collections::BTreeMap;

use wasmtime::component::Linker;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, filesystem, random};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{WasiCtx, WasiView, p2, p3};

use crate::files::Files;
use crate::instance::State;
use crate::output::GuestOutput;

/// A context without arguments or input.
///
/// # Errors
/// A folder of `files` that cannot be opened.
pub(crate) fn context(
    environment: &BTreeMap<String, String>,
    files: &Files,
    output: &GuestOutput,
) -> wasmtime::Result<WasiCtx> {
    let mut context = WasiCtx::builder();
    for (name, value) in environment {
        context.env(name, value);
    }
    files.mount(&mut context)?;
    context.stdout(output.clone()).stderr(output.clone());
    Ok(context.build())
}

/// Offers what Rust's standard library and the SDK import.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let l = linker;
    p2::add_to_linker_proxy_interfaces_async(l)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
    p3::clocks::add_to_linker(l)?;
    p3::random::add_to_linker(l)
}
