//! A link between two processes that can be made slow, silent, or cut. Passes bytes on and knows nothing of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The link.
pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    /// **Units:** milliseconds, each way.
    delay: Arc<AtomicU64>,
}

impl Link {
    /// A link to this address, without a delay.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, delay) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
        let shared = Arc::clone(&delay);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let delay = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    tokio::join!(pass(near_in, far_out, Arc::clone(&delay)), pass(far_in, near_out, delay));
                });
            }
        });
        Self { address, delay }
    }

    /// From now on every byte takes so long, each way.
    pub(crate) fn delay(&self, by: Duration) {
        self.delay.store(by.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "bytes are held back in real time")]
fn now() -> Instant {
    Instant::now()
}

async fn pass(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin,
    delay: Arc<AtomicU64>,
) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut part = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut part).await {
            let due = now() + Duration::from_millis(delay.load(Ordering::SeqCst));
            if sender.send((due, part[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    while let Some((due, bytes)) = receiver.recv().await {
        sleep_until(due).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
