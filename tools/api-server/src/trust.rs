//! What a host needs to trust the server.

use std::path::Path;

use serde_json::json;

/// `runtime_config`, the text of a Spin runtime config, with the authority in the file `authority` for the components of the audit
/// store that ask who calls.
pub fn trusting(runtime_config: &str, authority: &Path) -> String {
    // Texts are written alike in TOML and in JSON.
    format!(
        "{runtime_config}\n[[client_tls]]\ncomponent_ids = [\"write\", \"query\", \"search\", \"events\", \"health\"]\nhosts = [\"localhost\"]\n\
         ca_roots_file = {}\n",
        json!(authority)
    )
}
