//! The development database.
