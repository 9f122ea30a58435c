//! The crate from outside: payloads in, records or violations out.

mod absent;
mod payloads;
mod properties;
mod records;
mod rules;
mod sanitise;
mod violations;
