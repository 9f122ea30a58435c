//! A small component that exercises the native host.
