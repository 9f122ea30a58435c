//! An OpenAI-compatible embedding server for development and tests.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Parser;
use embedder::Model;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3001")]
    listen: SocketAddr,
    /// Serve vectors made from the hashes of words, which carry no meaning and need no download,
    /// as the model `hash`
    #[arg(long)]
    hash: bool,
    /// The length of the hash vectors
    #[arg(
        long,
        value_name = "N",
        default_value_t = 384,
        requires = "hash",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    dimensions: u16,
}

impl Arguments {
    fn model(&self) -> Result<Model> {
        if self.hash {
            return Ok(Model::hash(self.dimensions.into()));
        }
        Ok(Model::minilm(&|what| eprintln!("{what}"))?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let listen = arguments.listen;
    // Known before the model is loaded, which takes a while the first time. But nobody is kept waiting meanwhile: who
    // connects too early is refused.
    drop(bind(listen).await?);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut stop = Box::pin(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    let loading = tokio::task::spawn_blocking(move || arguments.model());
    let model = tokio::select! {
        model = loading => model??,
        // A download cannot be cancelled from outside its thread; the next one clears up.
        () = &mut stop => std::process::exit(0),
    };
    let listener = bind(listen).await?;
    let mut output = std::io::stdout();
    writeln!(
        output,
        "{} listens on http://{}",
        model.name(),
        listener.local_addr()?
    )?;
    output.flush()?;
    embedder::serve(listener, model, stop).await?;
    Ok(())
}

async fn bind(listen: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))
}
