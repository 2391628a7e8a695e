//! One connection through the proxy: bytes both ways, as the link lets them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::Link;

/// What may be under way in one direction: so many reads, each of so many bytes at most.
const READS: usize = 256;
const BYTES: usize = 16 * 1024;
/// A slow link passes its bytes in this many pieces a second.
const PIECES_PER_SECOND: u32 = 50;

/// Bytes that were read, and when.
type Chunk = (Instant, Vec<u8>);

/// Carries one connection until both sides have ended it, or it is reset: by the other side, or by a cut.
pub(super) async fn connection(mut client: TcpStream, upstream: SocketAddr, mut link: watch::Receiver<Link>) {
    let mut cut = link.clone();
    let connected = tokio::select! {
        biased;
        () = is_cut(&mut cut) => None,
        server = connect(upstream, &mut link) => server.ok(),
    };
    let Some(mut server) = connected else {
        return reset(&client);
    };
    let carried = tokio::select! {
        biased;
        () = is_cut(&mut cut) => Err(io::ErrorKind::ConnectionReset.into()),
        result = both_ways(&mut client, &mut server, &link) => result,
    };
    if carried.is_err() {
        reset(&client);
        reset(&server);
    }
}

async fn connect(upstream: SocketAddr, link: &mut watch::Receiver<Link>) -> io::Result<TcpStream> {
    open(link).await;
    TcpStream::connect(upstream).await
}

/// Makes the close that follows a reset and not an orderly end.
fn reset(stream: &TcpStream) {
    // A stream for which this fails is gone already.
    let _ = stream.set_zero_linger();
}

/// Until both sides have ended, or one is gone or cut off.
async fn both_ways(client: &mut TcpStream, server: &mut TcpStream, link: &watch::Receiver<Link>) -> io::Result<()> {
    // What passes is small and waited for.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(one_way(from_client, to_server, link), one_way(from_server, to_client, link)).map(drop)
}

async fn one_way(from: ReadHalf<'_>, to: WriteHalf<'_>, link: &watch::Receiver<Link>) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(READS);
    tokio::try_join!(read(from, sender, link.clone()), write(to, receiver, link.clone())).map(drop)
}

/// Takes what comes, but on a half-open link: what is sent there fills the kernel's buffers, as if it were lost.
async fn read(mut from: ReadHalf<'_>, to: mpsc::Sender<Chunk>, mut link: watch::Receiver<Link>) -> io::Result<()> {
    let mut buffer = vec![0; BYTES];
    loop {
        open(&mut link).await;
        let count = tokio::select! {
            biased;
            _ = link.changed() => continue,
            count = from.read(&mut buffer) => count?,
        };
        let bytes = buffer.get(..count).unwrap_or_default().to_vec();
        if to.send((now(), bytes)).await.is_err() || count == 0 {
            return Ok(());
        }
    }
}

/// Gives on what was read; an empty chunk is the end.
async fn write(
    mut to: WriteHalf<'_>,
    mut from: mpsc::Receiver<Chunk>,
    mut link: watch::Receiver<Link>,
) -> io::Result<()> {
    while let Some((arrived, bytes)) = from.recv().await {
        let mut rest = bytes.as_slice();
        loop {
            let pace = pace(&mut link, arrived).await;
            let (piece, later) = rest.split_at(rest.len().min(pace.bytes));
            to.write_all(piece).await?;
            rest = later;
            if !pace.rest.is_zero() {
                sleep(pace.rest).await;
            }
            if rest.is_empty() {
                break;
            }
        }
        if bytes.is_empty() {
            to.shutdown().await?;
        }
    }
    Ok(())
}

/// How much may pass at once, and how long it rests after it.
struct Pace {
    bytes: usize,
    rest: Duration,
}

/// Waits until bytes that arrived then may pass.
async fn pace(link: &mut watch::Receiver<Link>, arrived: Instant) -> Pace {
    loop {
        let state = *link.borrow_and_update();
        match state {
            Link::Pass => return Pace { bytes: usize::MAX, rest: Duration::ZERO },
            Link::Delay(delay) if arrived + delay <= now() => return Pace { bytes: usize::MAX, rest: Duration::ZERO },
            Link::Slow(bytes_per_second) => {
                let bytes = (bytes_per_second / PIECES_PER_SECOND).max(1);
                let rest = Duration::from_secs_f64(f64::from(bytes) / f64::from(bytes_per_second.max(1)));
                return Pace { bytes: usize::try_from(bytes).unwrap_or(usize::MAX), rest };
            }
            Link::Delay(delay) => tokio::select! {
                () = sleep_until(arrived + delay) => {}
                _ = link.changed() => {}
            },
            Link::Cut | Link::HalfOpen => {
                if link.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        }
    }
}

/// Waits until the link carries something.
async fn open(link: &mut watch::Receiver<Link>) {
    // Where the proxy is gone, so is this connection: it is dropped with the runtime.
    let _ = link.wait_for(|link| !matches!(link, Link::HalfOpen | Link::Cut)).await;
}

async fn is_cut(link: &mut watch::Receiver<Link>) {
    if link.wait_for(|link| *link == Link::Cut).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the delay of a network is in real time")]
fn now() -> Instant {
    Instant::now()
}
