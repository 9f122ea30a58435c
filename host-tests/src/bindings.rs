//! What `bindgen!` makes of the WIT inside the spin-sdk crate: the Spin interfaces that this host
//! offers, and `wasi:keyvalue`. The others of WASI come from wasmtime-wasi and wasmtime-wasi-http.
//!
//! It copies nothing of Spin.

include!(concat!(env!("OUT_DIR"), "/spin_bindgen.rs"));

spin_bindgen! {
    inline: r"
        package kubernaut:host;

        world host {
            import spin:key-value/key-value@3.0.0;
            import spin:postgres/postgres@4.2.0;
            import spin:variables/variables@3.0.0;
            include wasi:keyvalue/imports@0.2.0-draft2;
        }
    ",
    imports: { default: async | trappable },
    with: {
        "spin:key-value/key-value.store": crate::key_value::store::Store,
        "spin:postgres/postgres.connection": crate::postgres::Connection,
        "spin:postgres/postgres.connection-builder": crate::postgres::ConnectionBuilder,
        "wasi:keyvalue/atomics.cas": crate::wasi_key_value::Cas,
        "wasi:keyvalue/store.bucket": crate::key_value::store::Store,
    },
    // With these, host functions return `Result<T, Error>`: the interfaces' own errors, or what becomes one of them or a trap.
    trappable_error_type: {
        "spin:key-value/key-value.error" => crate::key_value::failure::Failure,
        "spin:postgres/postgres.error" => spin::postgres::postgres::Error,
        "spin:variables/variables.error" => spin::variables::variables::Error,
        "wasi:keyvalue/atomics.cas-error" => crate::wasi_key_value::SwapFailure,
        "wasi:keyvalue/store.error" => crate::key_value::failure::Failure,
    },
}

pub(crate) use spin::key_value::key_value;
pub(crate) use spin::postgres::postgres;
pub(crate) use spin::variables::variables;
pub(crate) use wasi::keyvalue as wasi_key_value;
