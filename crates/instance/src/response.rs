//! Work behind the response.

/// Runs `work` once the client has its answer. The host keeps the instance for it.
pub fn after_response(work: impl Future<Output = ()> + 'static) {
    spin_sdk::wasip3::spawn(work);
}
