//! One listener: its accept loop, its connections, and how both end. Owns every limit below HTTP: connections at once,
//! how long a request's head may take (408), how large it may be (431), how long a connection may idle or leave its answers unread. Knows no route.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Service;
use tracing::{debug, warn};

use super::framing;
use super::host;
use super::places::Places;
use super::record::{self, Record};
use super::stall::Stalling;
use crate::config::Limits;

/// A request's head: a token of 16 KiB, cookies of the same size, and room for the rest.
const HEAD_LIMIT: usize = 64 * 1024;
/// How long the loop rests when the machine has no file descriptor or memory left for a connection.
const REST: Duration = Duration::from_millis(100);
/// How much of what a client still sends is read after the last answer, and for how long, so that it sees the answer.
const LINGER: (u64, Duration) = (1024 * 1024, Duration::from_millis(500));
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\ncontent-length: 86\r\nconnection: close\r\n\r\n\
{\"error\":\"request_timeout\",\"error_description\":\"the head was not complete in time   \"}";

/// Serves `router` on `listener` until `stop` turns true, then lets requests under way end, within the drain time.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    proxies: Arc<[IpAddr]>,
    mut stop: watch::Receiver<bool>,
) {
    let router = router.route_layer(from_fn(record::with_route));
    let places = Places::new(limits.connections_per_address, proxies);
    let slots = Arc::new(Semaphore::new(limits.connections as usize));
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, peer, slot)) => {
                let Some(place) = places.take(peer.ip()) else {
                    debug!(%peer, "a connection was closed: its address holds too many");
                    metrics::counter!("rescind_connections_refused_total").increment(1);
                    continue;
                };
                let connection = Connection { router: router.clone(), peer, limits, stop: stop.clone() };
                tokio::spawn(async move {
                    connection.run(stream).await;
                    drop((place, slot));
                });
            }
            Err(error) if is_one_connections_matter(&error) => debug!(%error, "a connection ended before it began"),
            Err(error) => {
                // Out of descriptors or memory: the listener lives on, and rests until something was given back.
                warn!(%error, "cannot accept connections at the moment");
                tokio::time::sleep(REST).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, slots.acquire_many(limits.connections)).await.is_err() {
        warn!("some requests were cut off: they did not end within the drain time");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

fn is_one_connections_matter(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    limits: Limits,
    stop: watch::Receiver<bool>,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let Self { router, peer, limits, mut stop } = self;
        // Answers are small and written whole: waiting for more only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "TCP_NODELAY was not set");
        }
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let mut router = router.clone();
            let record = Record::of(&request, peer);
            let told = host::told(&request).and_then(|()| framing::understood(&request));
            // Boxed, so that the connection can be moved out of its future when the head timed out.
            Box::pin(async move {
                let answer = match told {
                    Ok(()) => router.call(request).await,
                    Err(failure) => Ok(failure.into_response()),
                };
                answer.inspect(|response| record.answered(response))
            })
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(Stalling::new(stream, limits.write_timeout)), service);
        let mut stopping = false;
        let ended = loop {
            tokio::select! {
                ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
                _ = stop.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let parts = connection.into_parts();
        let mut stream = parts.io.into_inner();
        if let Err(error) = ended {
            debug!(%error, %peer, "a connection ended early");
            if stream.has_stalled() {
                return abandon(&stream.into_inner());
            }
            // With nothing read it was only idle: closing says enough.
            if error.is_timeout() && !parts.read_buf.is_empty() && stream.write_all(TOO_SLOW).await.is_err() {
                return;
            }
        }
        close(stream).await;
    }
}

/// Closes without a word, and the kernel forgets what was not read: the client would let it lie for minutes.
fn abandon(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        debug!(%error, "SO_LINGER was not set");
    }
}

/// Closes so that the client can read the last answer: unread input would turn the close into a reset that discards it.
async fn close(mut stream: Stalling<TcpStream>) {
    if stream.shutdown().await.is_ok() {
        let (limit, time) = LINGER;
        let mut rest = (&mut stream).take(limit);
        let drained = tokio::time::timeout(time, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
        debug!(within_time = drained.is_ok(), "a connection was closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_slow_head_has_the_length_that_it_says() {
        let text = std::str::from_utf8(TOO_SLOW).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
