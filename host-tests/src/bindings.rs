//! What `bindgen!` makes of the WIT inside the spin-sdk crate: the Spin interfaces that this host
//! offers. Those of WASI come from wasmtime-wasi and wasmtime-wasi-http.
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
        }
    ",
    imports: { default: async | trappable },
    with: {
        "spin:key-value/key-value.store": crate::key_value::Store,
        "spin:postgres/postgres.connection": crate::postgres::Connection,
        "spin:postgres/postgres.connection-builder": crate::postgres::ConnectionBuilder,
    },
    // The interfaces' own errors: with these, host functions return `Result<T, Error>`.
    trappable_error_type: {
        "spin:key-value/key-value.error" => spin::key_value::key_value::Error,
        "spin:postgres/postgres.error" => spin::postgres::postgres::Error,
        "spin:variables/variables.error" => spin::variables::variables::Error,
    },
}

pub(crate) use spin::key_value::key_value;
pub(crate) use spin::postgres::postgres;
pub(crate) use spin::variables::variables;
