//! A body that is written while it is read: a task makes the next chunk when the reader has taken one. Owns that no more
//! than a few chunks wait; knows nothing of what is in them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc;

/// So many chunks wait for the reader.
const WAITING: usize = 2;

/// Where the chunks are put in.
pub(crate) struct Sink(mpsc::Sender<Bytes>);

/// The reader is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

struct Chunks(mpsc::Receiver<Bytes>);

/// A body and the place where its chunks are put in. It ends when the place is dropped.
pub(crate) fn body() -> (Sink, Body) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Sink(sender), Body::new(Chunks(receiver)))
}

impl Sink {
    /// Puts a chunk in, once there is room.
    pub(crate) async fn put(&self, chunk: impl Into<Bytes>) -> Result<(), Gone> {
        self.0.send(chunk.into()).await.map_err(|_| Gone)
    }

    /// Waits until the reader is gone.
    pub(crate) async fn gone(&self) {
        self.0.closed().await;
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(Frame::data).map(Ok))
    }
}
