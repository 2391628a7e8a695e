//! A connection whose client must go on reading: a write that finds no room for too long fails, so that whoever never
//! takes the answers does not hold a connection's place. Owns the timer; knows no HTTP. Reading is not timed here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// `stream`, of which a write fails with [`io::ErrorKind::TimedOut`] where none could go on for `limit`.
pub(super) struct Stalling<S> {
    stream: S,
    limit: Duration,
    /// Runs while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
    stalled: bool,
}

impl<S> Stalling<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, timer: None, stalled: false }
    }

    /// Whether a write has failed because the client did not read.
    pub(super) const fn has_stalled(&self) -> bool {
        self.stalled
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// **Cost:** nothing where the write did not have to wait.
    fn timed<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.timer = None;
            return outcome;
        }
        let limit = self.limit;
        ready!(self.timer.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
        self.stalled = true;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client did not read its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.timed(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.timed(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // A socket has nothing to flush: what is ready at once must not stop the timer of a write that waits.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(15);

    #[tokio::test]
    async fn a_write_that_nobody_reads_fails() {
        let (ours, _theirs) = duplex(4);
        let mut ours = Stalling::new(ours, Duration::from_millis(1));
        let error = ours.write_all(b"longer than the pipe").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(ours.has_stalled());
    }

    #[tokio::test]
    async fn each_write_that_goes_on_starts_the_time_anew() {
        let (ours, mut theirs) = duplex(4);
        let mut ours = Stalling::new(ours, LIMIT);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..3 {
            assert!(Pin::new(&mut ours).poll_write(&mut cx, &[7; 4]).is_ready());
            assert!(ours.timer.is_none());
            assert!(Pin::new(&mut ours).poll_write(&mut cx, &[7; 4]).is_pending());
            assert!(Pin::new(&mut ours).poll_flush(&mut cx).is_ready());
            assert!(ours.timer.is_some());
            theirs.read_exact(&mut [0; 4]).await.unwrap();
        }
        assert!(!ours.has_stalled());
    }
}
