//! An address that leads to one server and later to another, as a virtual address, a proxy or a Kubernetes Service does.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// The address. It ends with the test's runtime.
pub(crate) struct Address {
    own: SocketAddr,
    /// The port of the server that it leads to.
    target: watch::Sender<u16>,
}

impl Address {
    /// One that leads to the server on this port.
    pub(crate) async fn of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address");
        let target = watch::Sender::new(port);
        let of_connections = target.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, of_connections.subscribe()));
            }
        });
        Self { own, target }
    }

    /// A server's URL with this address instead.
    pub(crate) fn instead_of(&self, url: &str) -> String {
        let mut url = Url::parse(url).expect("a URL");
        url.set_port(Some(self.own.port())).expect("a port");
        url.into()
    }

    /// Leads to another server from now on. Connections to the one before end.
    pub(crate) fn move_to(&self, port: u16) {
        self.target.send_replace(port);
    }
}

async fn relay(mut client: TcpStream, mut target: watch::Receiver<u16>) {
    let port = *target.borrow_and_update();
    // If nobody is there, the client's connection ends.
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = target.changed() => {}
    }
}
