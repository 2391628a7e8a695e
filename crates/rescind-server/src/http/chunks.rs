//! A body that is written while it is read: a task makes the next chunk when the reader has taken one. Owns that no more
//! than a few chunks wait, and how many bytes wait in all bodies; knows nothing of what is in them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc;

/// So many chunks wait for the reader; one more may wait for room.
pub(crate) const WAITING: usize = 2;

/// Bytes that were made and not taken yet, of all bodies.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// A chunk, counted for as long as it waits.
struct Chunk(Bytes);

impl Chunk {
    fn new(bytes: Bytes) -> Self {
        HELD.fetch_add(bytes.len(), Ordering::Relaxed);
        Self(bytes)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0.len(), Ordering::Relaxed);
    }
}

/// How many bytes wait for slow readers, of all bodies.
pub(crate) fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// Where the chunks are put in.
pub(crate) struct Sink(mpsc::Sender<Chunk>);

/// The reader is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

struct Chunks(mpsc::Receiver<Chunk>);

/// A body and the place where its chunks are put in. It ends when the place is dropped.
pub(crate) fn body() -> (Sink, Body) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Sink(sender), Body::new(Chunks(receiver)))
}

impl Sink {
    /// Puts a chunk in, once there is room.
    pub(crate) async fn put(&self, chunk: impl Into<Bytes>) -> Result<(), Gone> {
        self.0.send(Chunk::new(chunk.into())).await.map_err(|_| Gone)
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
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk.0.clone()))))
    }
}
