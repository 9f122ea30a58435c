//! The WASI context of an instance: its environment, its output, and sockets to allowed hosts.

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
            // Binding to no address in particular is a part of connecting.
            let anywhere = address.ip().is_unspecified() && address.port() == 0;
            let allowed = match purpose {
                SocketAddrUse::TcpBind => anywhere,
                SocketAddrUse::TcpConnect => allowed.allow_socket(address, "tcp"),
                SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
                SocketAddrUse::UdpBind => anywhere || allowed.allow_socket(address, "udp"),
                SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                    allowed.allow_socket(address, "udp")
                }
            };
            Box::pin(async move { allowed })
        });
    context.build()
}
