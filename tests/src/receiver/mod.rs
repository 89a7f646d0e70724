//! A receiver of OTLP, built on the protocol's own definitions: takes logs and traces over gRPC and HTTP at one port, with TLS and client
//! certificates if asked to, does wrong what it is told to do wrong, and prints what it got, a JSON object a request.
//!
//! The program is `weir-receiver`; it runs until its standard input ends. [`Receiver`] runs it for a test.

mod answer;
mod certificates;
mod fault;
mod record;
mod run;
mod tls;

pub use certificates::{Authority, Issued};
pub use fault::Fault;
pub use run::Receiver;
pub use tls::acceptor;

use answer::answer;
use clap::Parser;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Receives OTLP and prints what it got
#[derive(Parser)]
pub struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// PEM of the server's certificate, for TLS
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// PEM of its key
    #[arg(long)]
    key: Option<PathBuf>,
    /// PEM of the authority whose certificates clients must have
    #[arg(long)]
    clients: Option<PathBuf>,
    /// What to do with the requests, in order; after the last all is taken
    #[arg(long, value_delimiter = ',')]
    faults: Vec<Fault>,
    /// Refuse every request with a record whose uid is this
    #[arg(long)]
    poison: Option<String>,
}

/// What all requests share.
struct State {
    faults: Mutex<VecDeque<Fault>>,
    poison: Option<String>,
}

impl State {
    fn next_fault(&self) -> Fault {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front().unwrap_or(Fault::None)
    }
}

/// The program.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(serve(options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir-receiver: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> io::Result<()> {
    let tls = match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key, options.clients.as_deref())?),
        _ => None,
    };
    let listener = TcpListener::bind(&options.listen).await?;
    print(&json!({"port": listener.local_addr()?.port()}))?;
    let state = Arc::new(State { faults: Mutex::new(options.faults.into()), poison: options.poison });
    // A thread that is not waited for: it ends with the program.
    let (ended, mut end) = tokio::sync::mpsc::channel::<()>(1);
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(ended);
    });
    loop {
        tokio::select! {
            _ = end.recv() => return Ok(()),
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::spawn(connection(stream, tls.clone(), Arc::clone(&state)));
            }
        }
    }
}

/// A connection that fails is the client's to tell of.
async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { answer(request, &state).await }
    });
    let server = Builder::new(TokioExecutor::new());
    match tls {
        None => drop(server.serve_connection(TokioIo::new(stream), service).await),
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                drop(server.serve_connection(TokioIo::new(stream), service).await);
            }
        }
    }
}

fn print(object: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{object}")?;
    out.flush()
}
