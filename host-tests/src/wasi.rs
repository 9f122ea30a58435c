//! The WASI context of an instance: its environment, its output, and sockets to allowed hosts.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-wasi/src/lib.rs` and
//! `crates/factor-wasi/src/sockets.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::sockets::SocketAddrUse;

use crate::allowed_hosts::AllowedHosts;
use crate::output::GuestOutput;

/// A context without files, arguments or input. As in Spin, a socket may connect where
/// `allowed_outbound_hosts` says `tcp://` or `udp://`, and never listens.
pub(crate) fn context(
    environment: &BTreeMap<String, String>,
    output: &GuestOutput,
    allowed: &Arc<AllowedHosts>,
) -> WasiCtx {
    let mut context = WasiCtx::builder();
    for (name, value) in environment {
        context.env(name, value);
    }
    let allowed = Arc::clone(allowed);
    context
        .stdout(output.clone())
        .stderr(output.clone())
        .socket_addr_check(move |address, purpose| {
            let allowed = match purpose {
                SocketAddrUse::TcpBind => false,
                SocketAddrUse::TcpConnect => allowed.allow_socket(address, "tcp"),
                SocketAddrUse::UdpBind
                | SocketAddrUse::UdpConnect
                | SocketAddrUse::UdpOutgoingDatagram => allowed.allow_socket(address, "udp"),
            };
            Box::pin(async move { allowed })
        });
    context.build()
}
