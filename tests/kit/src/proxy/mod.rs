//! A TCP proxy that is the network between two processes, with its faults switched on and off while they run. It has a
//! thread of its own, so a test that blocks its runtime does not stop it.

mod carry;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::port::Port;

/// What the network does to what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Pass,
    /// Each byte arrives so much later, each way; as many pass as before.
    Delay(Duration),
    /// So many bytes pass in a second, each way.
    Slow(u32),
    /// Connections are reset, new ones refused.
    Cut,
    /// Connections stay, new ones are accepted, and nothing passes.
    HalfOpen,
}

/// A proxy in front of one address. Passes everything until it is told otherwise; its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    upstream: Arc<Mutex<SocketAddr>>,
    orders: mpsc::UnboundedSender<Order>,
}

/// What a test asks for, and where the proxy says that it is done.
type Order = (Link, blocking::Sender<std::io::Result<()>>);

impl Proxy {
    /// A proxy on a free loopback port, in front of `upstream`.
    ///
    /// # Errors
    /// [`Error::Failed`] where it cannot listen.
    pub fn start(upstream: SocketAddr) -> Result<Self> {
        let port = Port::free()?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::io("a runtime"))?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let upstream = Arc::new(Mutex::new(upstream));
        let network =
            Network { address: port.address(), upstream: Arc::clone(&upstream), link: watch::Sender::new(Link::Cut) };
        thread::spawn(move || runtime.block_on(network.run(inbox)));
        let proxy = Self { port, upstream, orders };
        proxy.heal()?;
        Ok(proxy)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// A URL of the server behind it, through it.
    pub fn through(&self, url: &str) -> String {
        url.replace(&read(&self.upstream).to_string(), &self.address().to_string())
    }

    /// Leads new connections to another server, as an operator does after a failover; the old ones stay until a
    /// [`cut`](Self::cut).
    pub fn lead_to(&self, upstream: SocketAddr) {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    /// Everything passes again. What was held back arrives now.
    ///
    /// # Errors
    /// [`Error::Failed`] where it cannot listen again.
    pub fn heal(&self) -> Result<()> {
        self.set(Link::Pass)
    }

    /// Each byte arrives so much later, each way; a round trip takes twice that. As many pass as before.
    ///
    /// # Errors
    /// [`Error::Failed`] where it cannot listen again.
    pub fn delay(&self, delay: Duration) -> Result<()> {
        self.set(Link::Delay(delay))
    }

    /// So many bytes pass in a second, each way of each connection.
    ///
    /// # Errors
    /// [`Error::Failed`] where it cannot listen again.
    pub fn slow(&self, bytes_per_second: u32) -> Result<()> {
        self.set(Link::Slow(bytes_per_second))
    }

    /// Connections are reset and new ones are refused, as when the server's machine restarts.
    ///
    /// # Errors
    /// [`Error::Failed`] where the proxy is gone.
    pub fn cut(&self) -> Result<()> {
        self.set(Link::Cut)
    }

    /// Connections stay, new ones are accepted, and nothing passes, not even an end: as when packets are lost.
    ///
    /// # Errors
    /// [`Error::Failed`] where it cannot listen again.
    pub fn half_open(&self) -> Result<()> {
        self.set(Link::HalfOpen)
    }

    /// Returns when it is so: after a cut no old connection lives, after a heal new ones are accepted.
    fn set(&self, link: Link) -> Result<()> {
        let gone = "the proxy is gone";
        let (done, answer) = blocking::channel();
        self.orders.send((link, done)).map_err(|_| Error::failed(gone))?;
        answer.recv().map_err(|_| Error::failed(gone))?.map_err(Error::io("the proxy cannot listen"))
    }
}

/// The proxy's own side.
struct Network {
    address: SocketAddr,
    upstream: Arc<Mutex<SocketAddr>>,
    link: watch::Sender<Link>,
}

impl Network {
    /// Until the handle is dropped.
    async fn run(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut connections = JoinSet::new();
        let mut listener: Option<TcpListener> = None;
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => {
                    let Some((link, done)) = order else { return };
                    // Nobody waits for the answer any more: nothing is lost.
                    let _ = done.send(self.apply(link, &mut listener, &mut connections).await);
                }
                stream = accept(listener.as_ref()) => {
                    connections.spawn(carry::connection(stream, read(&self.upstream), self.link.subscribe()));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn apply(
        &self,
        link: Link,
        listener: &mut Option<TcpListener>,
        connections: &mut JoinSet<()>,
    ) -> std::io::Result<()> {
        if link == Link::Cut {
            *listener = None;
        } else if listener.is_none() {
            *listener = Some(TcpListener::bind(self.address).await?);
        }
        self.link.send_replace(link);
        if link == Link::Cut {
            while connections.join_next().await.is_some() {}
        }
        Ok(())
    }
}

fn read(address: &Mutex<SocketAddr>) -> SocketAddr {
    *address.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next connection; never one where nobody listens.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        // What fails is the one connection that was gone before it was accepted.
        if let Ok((stream, _)) = listener.accept().await {
            return stream;
        }
    }
}
