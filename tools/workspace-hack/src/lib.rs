//! Empty. `Cargo.toml` beside it names features of third-party packages, and says why.
