//! Disasters, rehearsed: each test lets one happen to real servers while real hosts are at work, and then does what
//! docs/operations.md tells an operator to do, word for word.

#[path = "../support/mod.rs"]
mod support;

mod address;
#[cfg(target_os = "linux")]
mod clock;
mod connections;
#[cfg(target_os = "linux")]
mod disk;
mod documented;
mod failover;
#[cfg(target_os = "linux")]
mod full_disk;
mod idle_transaction;
mod load;
mod partitions;
mod primary;
mod restore;
