//! A proxy before PostgreSQL that cuts a connection at the worst moment, after a statement's commit and before its answer,
//! and that holds up what the service sends.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use patience::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// The proxy. It ends with the test's runtime.
pub struct Cutting {
    url: Url,
    address: SocketAddr,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    /// The statement after which the connection is cut, once.
    statement: Mutex<Option<String>>,
    cuts: AtomicUsize,
    /// Whether what the service sends is held up.
    holding: watch::Sender<bool>,
    /// The connections on which something is held up.
    held: AtomicUsize,
}

impl Cutting {
    /// One before the database at `url`.
    pub async fn before(url: &str) -> Self {
        let url = Url::parse(url).expect("a database URL");
        let target = (
            url.host_str().expect("a host").to_owned(),
            url.port().unwrap_or(5432),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let plan = Arc::new(Plan::default());
        let of_connections = plan.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(target.clone())
                    .await
                    .expect("PostgreSQL");
                tokio::spawn(relay(client, server, of_connections.clone()));
            }
        });
        Self { url, address, plan }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let mut url = self.url.clone();
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.address.port())).expect("a port");
        url.into()
    }

    /// Cuts the connection on which a statement with this text is executed next.
    pub fn cut_after(&self, statement: &str) {
        *self.plan.statement.lock().expect("no panic") = Some(statement.to_owned());
    }

    /// Holds up what the service sends, on every connection.
    pub fn hold(&self) {
        self.plan.holding.send_replace(true);
    }

    /// Waits until something is held up on a connection.
    pub async fn until_held(&self) {
        let held = async || self.plan.held.load(Ordering::SeqCst) > 0;
        until("the service sends something", held).await;
    }

    /// Lets everything through again.
    pub fn release(&self) {
        self.plan.holding.send_replace(false);
    }

    /// How often it has cut one.
    pub fn cuts(&self) -> usize {
        self.plan.cuts.load(Ordering::SeqCst)
    }
}

impl Plan {
    /// Waits while everything is held up.
    async fn pass(&self) {
        let mut holding = self.holding.subscribe();
        self.held.fetch_add(1, Ordering::SeqCst);
        let passed = holding.wait_for(|holding| !holding).await;
        self.held.fetch_sub(1, Ordering::SeqCst);
        passed.expect("the sender is in the plan");
    }
}

async fn relay(client: TcpStream, server: TcpStream, plan: Arc<Plan>) {
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let doomed = Arc::new(Mutex::new(false));
    tokio::select! {
        () = forward(client_in, server_out, plan.clone(), doomed.clone()) => {}
        () = back(server_in, client_out, plan, doomed) => {}
    }
}

/// From the client to the server, looking for the statement.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    plan: Arc<Plan>,
    doomed: Arc<Mutex<bool>>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let sent = &bytes[..count];
        plan.pass().await;
        {
            let mut statement = plan.statement.lock().expect("no panic");
            let has = |wanted: &String| {
                sent.windows(wanted.len())
                    .any(|text| text == wanted.as_bytes())
            };
            if statement.as_ref().is_some_and(has) {
                statement.take();
                *doomed.lock().expect("no panic") = true;
            }
        }
        if to.write_all(sent).await.is_err() {
            return;
        }
    }
}

/// From the server to the client, until a doomed connection has committed: then the server has said `CommandComplete`
/// and, outside of a transaction, `ReadyForQuery`.
async fn back(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    plan: Arc<Plan>,
    doomed: Arc<Mutex<bool>>,
) {
    const COMPLETE: &[u8] = b"SELECT 1\0";
    const READY: &[u8] = b"Z\0\0\0\x05I";
    let mut bytes = vec![0; 1 << 16];
    let mut kept = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        kept.extend_from_slice(&bytes[..count]);
        if *doomed.lock().expect("no panic") {
            let complete = find(&kept, COMPLETE);
            if complete.is_some_and(|at| find(&kept[at..], READY).is_some()) {
                plan.cuts.fetch_add(1, Ordering::SeqCst);
                return;
            }
            if complete.is_some() {
                continue;
            }
        }
        if to.write_all(&kept).await.is_err() {
            return;
        }
        kept.clear();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|found| found == wanted)
}
