//! The domain of the audit store.
