//! The wasmtime engine and the compiled components, shared by every host of the process.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/core/src/lib.rs` and
//! `crates/core/src/store.rs`.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Error, Result};
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, OptLevel,
    PoolingAllocationConfig, RegallocAlgorithm,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::instance::{self, State};

/// How many instances may be alive at once, as in Spin.
const MAX_INSTANCES: u32 = 1_000;
/// How often the epoch advances, as in Spin.
const EPOCH_TICK: Duration = Duration::from_millis(10);
/// The epochs that Spin's `up` lets an instance run: practically forever. Without a deadline compiled
/// code traps at its first check.
pub(crate) const UNLIMITED_EPOCHS: u64 = u64::MAX / 2;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

struct Shared {
    engine: Engine,
    linker: Linker<State>,
    compiled: Mutex<HashMap<File, Arc<OnceLock<Compiled>>>>,
}

/// A file and the time of its last change.
type File = (PathBuf, SystemTime);

/// A component, or why it is none.
type Compiled = Result<ServicePre<State>, String>;

/// The component in the file `path`, compiled and linked.
///
/// # Errors
/// No such file, not a component, an import that this host does not offer, or no exported
/// `wasi:http/handler@0.3.0`.
pub(crate) fn load(path: &Path) -> Result<ServicePre<State>> {
    let changed = path.metadata().and_then(|file| file.modified());
    let key = (path.to_owned(), changed.context("the file cannot be read")?);
    let shared = shared()?;
    let compiled = {
        let mut all = shared
            .compiled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key).or_default())
    };
    // Who asks for a component that is being compiled waits; other components are compiled at the same time.
    let compile = || compile(shared, path).map_err(|error| format!("{error:#}"));
    compiled.get_or_init(compile).clone().map_err(Error::msg)
}

fn compile(shared: &Shared, path: &Path) -> Result<ServicePre<State>> {
    let component = Component::from_file(&shared.engine, path)
        .map_err(anyhow::Error::from)
        .context("the file is not a WebAssembly component")?;
    let linked = shared
        .linker
        .instantiate_pre(&component)
        .map_err(anyhow::Error::from)
        .context("an import is not offered by this host")?;
    ServicePre::new(linked)
        .map_err(anyhow::Error::from)
        .context("the component does not export wasi:http/handler@0.3.0")
}

fn shared() -> Result<&'static Shared> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let made = SHARED.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref()
        .map_err(|error| anyhow::anyhow!("cannot start wasmtime: {error}"))
}

fn make() -> Result<Shared> {
    let engine = Engine::new(&config()?)?;
    advance_epochs(&engine)?;
    let linker = instance::linker(&engine)?;
    Ok(Shared {
        engine,
        linker,
        compiled: Mutex::default(),
    })
}

/// Counts the engine's epoch up from a thread of its own, for as long as the engine lives.
fn advance_epochs(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    let count = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            thread::sleep(EPOCH_TICK);
        }
    };
    thread::Builder::new()
        .name("epochs".to_owned())
        .spawn(count)
        .context("no thread for the epochs")?;
    Ok(())
}

/// Spin's configuration. Compiled code checks the epoch at every loop and function, which costs time
/// although no instance ever reaches its deadline.
fn config() -> Result<Config> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_memories(MAX_INSTANCES)
        .total_tables(2 * MAX_INSTANCES)
        .total_stacks(MAX_INSTANCES)
        .total_core_instances(4 * MAX_INSTANCES)
        .table_elements(100_000)
        .max_component_instance_size(10 * MIB)
        .max_core_instance_size(10 * MIB)
        .max_core_instances_per_component(200)
        .max_tables_per_component(64)
        .max_memories_per_component(32)
        .max_tables_per_module(2)
        .max_memories_per_module(2)
        .max_memory_size(4 * GIB)
        .linear_memory_keep_resident(2 * MIB)
        .table_keep_resident(MIB / 2);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    if cfg!(debug_assertions) {
        // Cranelift is not optimised either in a host built for development. What it compiles this way behaves the same, only
        // slower and on larger frames, for which there is more room; whatever is measured is compiled as on Spin.
        config
            .cranelift_opt_level(OptLevel::None)
            .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass)
            .max_wasm_stack(2 * MIB)
            .async_stack_size(4 * MIB);
    }
    let mut cache = CacheConfig::new();
    cache.with_directory(target_dir()?.join("wasmtime-cache"));
    match Cache::new(cache) {
        Ok(cache) => _ = config.cache(Some(cache)),
        Err(error) => tracing::warn!("components are compiled anew at every start: {error:#}"),
    }
    Ok(config)
}

/// Cargo's target folder: that of the environment, else the workspace's.
fn target_dir() -> Result<PathBuf> {
    let folder = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    Ok(std::path::absolute(folder)?)
}

#[cfg(test)]
mod tests {
    use wasmtime::{Instance, Module, Store, Trap};

    use super::*;

    /// Counts to twenty thousand million, for some seconds.
    const COUNT: &str = "(module (func (export \"f\") (local i64) (loop (br_if 0 (i64.lt_u \
        (local.tee 0 (i64.add (local.get 0) (i64.const 1))) (i64.const 20000000000))))))";

    /// Calls the function `f` of a module, in a store whose deadline is `epochs` away.
    fn call(module: &str, epochs: u64) -> wasmtime::Result<()> {
        let engine = &shared().unwrap().engine;
        let module = Module::new(engine, wat::parse_str(module).unwrap())?;
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(epochs);
        futures::executor::block_on(async {
            let instance = Instance::new_async(&mut store, &module, &[]).await?;
            let function = instance.get_typed_func::<(), ()>(&mut store, "f")?;
            function.call_async(&mut store, ()).await
        })
    }

    #[test]
    fn compiled_code_checks_the_epoch() {
        let nothing = "(module (func (export \"f\")))";
        let trap = call(nothing, 0).unwrap_err().downcast::<Trap>();
        assert_eq!(trap.unwrap(), Trap::Interrupt);
        call(nothing, UNLIMITED_EPOCHS).unwrap();
    }

    #[test]
    fn the_epoch_advances() {
        let trap = call(COUNT, 2).unwrap_err().downcast::<Trap>();
        assert_eq!(trap.unwrap(), Trap::Interrupt);
    }
}
