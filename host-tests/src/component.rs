//! A component of the application, with everything that it is granted.
//!
//! It copies nothing of Spin.

use std::collections::BTreeMap;

use wasmtime_wasi::WasiCtx;

use crate::files::Files;
use crate::key_value::KeyValue;
use crate::outbound_http::OutboundHttp;
use crate::output::GuestOutput;
use crate::postgres::Postgres;
use crate::variables::Variables;
use crate::wasi;

/// What the instances of one component share.
pub(crate) struct Component {
    pub(crate) id: String,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) files: Files,
    pub(crate) output: GuestOutput,
    pub(crate) key_value: KeyValue,
    pub(crate) outbound_http: OutboundHttp,
    pub(crate) postgres: Postgres,
    pub(crate) variables: Variables,
}

impl Component {
    /// The WASI context of a new instance.
    ///
    /// # Errors
    /// A folder that is mounted is no longer there.
    pub(crate) fn wasi(&self) -> wasmtime::Result<WasiCtx> {
        wasi::context(&self.environment, &self.files, &self.output)
    }
}
