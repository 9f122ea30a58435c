//! The server: connections, and what a test or a program may do with it.

use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::answer::{Answer, answer};
use crate::certificate;
use crate::cluster::{Cluster, Counts, Rule};
use crate::fault::{Fault, Faults};
use crate::reply::Reply;
use crate::review::Review;
use crate::token::Token;

/// Whom the credentials of [`ApiServer::issue_credential`] are of.
const APPLICATION: (&str, &str) = ("kubernaut-system", "audit-store");

/// How long the first half of an answer has for its way before the connection ends.
const HEAD_START: Duration = Duration::from_millis(20);

/// A server on a free port of this machine, until it is dropped.
pub struct ApiServer {
    address: SocketAddr,
    authority: String,
    acceptor: TlsAcceptor,
    cluster: Arc<Cluster>,
    serving: Option<Serving>,
}

struct Serving {
    /// Ends all connections.
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl ApiServer {
    /// Starts one with a new certificate authority, without any account or rule. Needs a Tokio runtime, and ends with it.
    ///
    /// Fails where there is no free port.
    pub async fn start() -> Result<Self> {
        let (authority, server) = certificate::create().context("no certificate can be made")?;
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let mut this = Self {
            address: listener.local_addr()?,
            authority,
            acceptor: TlsAcceptor::from(Arc::new(server)),
            cluster: Arc::default(),
            serving: None,
        };
        this.serve(listener);
        Ok(this)
    }

    /// Where it listens, for example `https://localhost:6443`.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The certificate of the authority that vouches for it, as PEM text.
    pub fn ca_pem(&self) -> &str {
        &self.authority
    }

    /// A new token of `account`. It is good until it ends or is revoked.
    pub fn issue(&self, account: &Account) -> Token {
        self.cluster.issue(account, false)
    }

    /// From now on this token, of an account or a credential, is refused.
    pub fn revoke(&self, token: &Token) {
        self.cluster.revoke(token.as_str());
    }

    /// A new credential for asking: a token, without an end, of the account
    /// `system:serviceaccount:kubernaut-system:audit-store`. Others stay good.
    pub fn issue_credential(&self) -> Token {
        let (namespace, name) = APPLICATION;
        let account = Account {
            expires: None,
            ..Account::new(namespace, name)
        };
        self.cluster.issue(&account, true)
    }

    /// A new credential for asking, in place of all that there are: those are refused with 401 from now on.
    pub fn rotate_credentials(&self) -> Token {
        self.cluster.revoke_reviewers();
        self.issue_credential()
    }

    /// From now on subject access reviews say yes to this.
    pub fn allow(&self, rule: &Rule<'_>) {
        self.cluster.allow(rule);
    }

    /// From now on subject access reviews say no to this again.
    pub fn withdraw(&self, rule: &Rule<'_>) {
        self.cluster.withdraw(rule);
    }

    /// From now on this happens to all such reviews.
    pub fn fail(&self, review: Review, fault: Fault) {
        self.cluster.with_faults(|faults| faults.set(review, fault));
    }

    /// This happens to so many such reviews, after those that were announced before.
    pub fn fail_next(&self, review: Review, times: usize, fault: Fault) {
        self.cluster
            .with_faults(|faults| faults.add(review, times, fault));
    }

    /// From now on nothing goes wrong any more. What hangs goes on hanging.
    pub fn recover(&self) {
        self.cluster
            .with_faults(|faults| *faults = Faults::default());
    }

    /// Stops listening and breaks off all connections. Returns once new ones are refused.
    pub async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.stop.cancel();
            // It was cancelled, and nothing in it panics.
            let _ = serving.accepting.await;
        }
    }

    /// Listens again on the same port, with the same certificate, and knows what it knew.
    ///
    /// Fails if something else took the port.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await;
        let listener = listen(self.address).await?;
        self.serve(listener);
        Ok(())
    }

    /// What it was asked so far.
    pub fn counts(&self) -> Counts {
        self.cluster.counts()
    }

    /// How often this token, whether it is known or not, was reviewed.
    pub fn reviews_of(&self, token: impl AsRef<str>) -> usize {
        self.cluster.reviews_of(token.as_ref())
    }

    /// The `spec` of each subject access review so far.
    pub fn access_reviews(&self) -> Vec<Value> {
        self.cluster.accesses()
    }

    /// The header `traceparent` of each review so far.
    pub fn traceparents(&self) -> Vec<Option<String>> {
        self.cluster.traceparents()
    }

    /// Begins to count anew. Reviews that are under way stay counted as that.
    pub fn reset_counts(&self) {
        self.cluster.reset_counts();
    }

    fn serve(&mut self, listener: TcpListener) {
        let stop = CancellationToken::new();
        let accept = accept(
            listener,
            self.acceptor.clone(),
            self.cluster.clone(),
            stop.clone(),
        );
        let accepting = stop.clone().run_until_cancelled_owned(accept);
        self.serving = Some(Serving {
            stop,
            accepting: tokio::spawn(async {
                accepting.await;
            }),
        });
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ApiServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.stop.cancel();
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    cluster: Arc<Cluster>,
    stop: CancellationToken,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let cut = stop.child_token();
        let connection = converse(stream, acceptor.clone(), cluster.clone(), cut.clone());
        tokio::spawn(cut.run_until_cancelled_owned(connection));
    }
}

/// A connection, which ends at once, without a farewell, when `cut` is cancelled.
async fn converse(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    cluster: Arc<Cluster>,
    cut: CancellationToken,
) {
    // Without it the answer is late, not wrong.
    let _ = stream.set_nodelay(true);
    // A client that does not trust the certificate ends the handshake.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(|request| respond(cluster.clone(), cut.clone(), request));
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // It fails where the client goes away.
    let _ = connection.await;
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn respond(
    cluster: Arc<Cluster>,
    cut: CancellationToken,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    match answer(&cluster, request).await {
        Answer::Whole(reply) => Ok(reply.into_response().map(BodyExt::boxed_unsync)),
        Answer::Half(reply) => Ok(broken_off(reply, cut)),
        Answer::Nothing => {
            cut.cancel();
            std::future::pending().await
        }
    }
}

/// The reply, whose body breaks off in the middle together with the connection.
fn broken_off(reply: Reply, cut: CancellationToken) -> Response<Body> {
    let (length, half) = reply.half();
    let first = stream::once(std::future::ready(Ok(Frame::data(half))));
    let end = stream::once(async move {
        tokio::time::sleep(HEAD_START).await;
        cut.cancel();
        std::future::pending().await
    });
    let mut response = reply.into_response().map(|_| ());
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response.map(|()| StreamBody::new(first.chain(end)).boxed_unsync())
}
