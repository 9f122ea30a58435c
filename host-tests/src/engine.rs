//! The wasmtime engine and the compiled components, shared by every host of the process.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::instance::{self, State};

/// How many instances may be alive at once, as in Spin.
const MAX_INSTANCES: u32 = 1_000;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

struct Shared {
    engine: Engine,
    linker: Linker<State>,
    /// By file and time of its last change.
    compiled: Mutex<HashMap<(PathBuf, SystemTime), ServicePre<State>>>,
}

/// The component in the file `path`, compiled and linked.
///
/// # Errors
/// No such file, not a component, an import that this host does not offer, or no exported
/// `wasi:http/handler@0.3.0`.
pub(crate) fn load(path: &Path) -> Result<ServicePre<State>> {
    let changed = path.metadata().and_then(|file| file.modified());
    let key = (path.to_owned(), changed.context("the file cannot be read")?);
    let shared = shared()?;
    let mut compiled = shared
        .compiled
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(component) = compiled.get(&key) {
        return Ok(component.clone());
    }
    let component = Component::from_file(&shared.engine, path)
        .map_err(anyhow::Error::from)
        .context("the file is not a WebAssembly component")?;
    let linked = shared
        .linker
        .instantiate_pre(&component)
        .map_err(anyhow::Error::from)
        .context("an import is not offered by this host")?;
    let service = ServicePre::new(linked)
        .map_err(anyhow::Error::from)
        .context("the component does not export wasi:http/handler@0.3.0")?;
    compiled.insert(key, service.clone());
    Ok(service)
}

fn shared() -> Result<&'static Shared> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let made = SHARED.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref()
        .map_err(|error| anyhow::anyhow!("cannot start wasmtime: {error}"))
}

fn make() -> Result<Shared> {
    let engine = Engine::new(&config()?)?;
    let linker = instance::linker(&engine)?;
    Ok(Shared {
        engine,
        linker,
        compiled: Mutex::default(),
    })
}

/// Spin's configuration without its epochs: they serve a request deadline that its `up` never sets.
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
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
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
