//! HTTP over a unix socket: HTTP/2 for CRI, HTTP/1.1 for Docker and Podman. hyper's client, with a connector that goes to a path.

use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::error::Error;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::UnixStream;
use tonic::body::Body;
use tower_service::Service;

/// A client that connects when there is something to send.
pub type Transport = Client<Connector, Body>;

/// Goes to the socket at a path, whatever the URI.
#[derive(Clone, Debug)]
pub struct Connector(Arc<PathBuf>);

/// A client of the socket at `path`.
pub fn new(path: &Path, http2: bool) -> Transport {
    Client::builder(TokioExecutor::new()).http2_only(http2).build(Connector(Arc::new(path.to_owned())))
}

/// What goes into the requests: the socket says who is asked.
pub fn origin() -> Uri {
    Uri::from_static("http://localhost")
}

impl Service<Uri> for Connector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<UnixStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = Arc::clone(&self.0);
        Box::pin(async move { UnixStream::connect(&**path).await.map(TokioIo::new) })
    }
}

/// The last of an error's causes, which says most: `Connection refused`.
pub fn last(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
