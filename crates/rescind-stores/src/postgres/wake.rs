//! The database's calls: a connection of its own that listens, and makes itself again when it is lost. Owns the wake-ups
//! and the proof that they arrive. They are hints: whoever follows the log polls it all the same.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, NoTls, Socket};

use super::dial::first;
use super::fault::Fault;
use super::link::Link;
use super::schema::literal;
use super::settings::Settings;
use super::tls::{self, Trust};

/// Between two tries to connect: from here, doubled each time, to there.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(1);

/// How long the proof may take that calls arrive.
const PROOF: Duration = Duration::from_secs(2);

/// What is said to prove it; everybody else takes no notice.
const HELLO: &str = "hello";

/// Who is woken.
#[derive(Default)]
pub(super) struct Calls {
    /// The log may have grown.
    pub(super) log: Notify,
    /// The inbox has something.
    pub(super) inbox: Notify,
}

/// The task that listens; it ends when this is dropped.
pub(super) struct Listener(AbortHandle);

impl Listener {
    pub(super) fn start(settings: Settings, link: Arc<Link>, calls: Arc<Calls>) -> Self {
        Self(tokio::spawn(listen(settings, link, calls)).abort_handle())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen(settings: Settings, link: Arc<Link>, calls: Arc<Calls>) {
    let mut wait = FIRST_WAIT;
    loop {
        match Ear::open(&settings).await {
            Ok(mut ear) => match ear.hears(&settings, &link, &calls).await {
                Ok(true) => {
                    wait = FIRST_WAIT;
                    // What was said while nobody listened.
                    calls.log.notify_one();
                    calls.inbox.notify_one();
                    while let Some(said) = ear.heard.recv().await {
                        calls.pass(&said);
                    }
                    tracing::info!(server = link.server(), "the connection that listens for revocations was lost");
                }
                // Of several servers it may have reached another one than those who call.
                Ok(false) if settings.servers().len() > 1 => {}
                Ok(false) => {
                    tracing::warn!(
                        server = link.server(),
                        "LISTEN does not work here, as behind pgbouncer with pool_mode = transaction: revocations of other \
                         nodes are found by polling alone. Nothing is lost but some milliseconds; to have them back, give \
                         this database pool_mode = session, or connect to the server itself"
                    );
                    return;
                }
                Err(_) => {}
            },
            Err(fault) => tracing::debug!(server = link.server(), %fault, "cannot listen for revocations yet"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}

impl Calls {
    fn pass(&self, said: &str) {
        match said {
            "log" => self.log.notify_one(),
            "inbox" => self.inbox.notify_one(),
            _ => {}
        }
    }
}

/// A connection that listens.
struct Ear {
    client: Client,
    heard: mpsc::Receiver<String>,
}

impl Ear {
    async fn open(settings: &Settings) -> Result<Self, Fault> {
        match settings.trust {
            Trust::NoTls => dial(settings, NoTls).await,
            trust => dial(settings, tls::connector(trust, &settings.roots)?).await,
        }
    }

    /// Begins to listen, and finds out whether what another connection says arrives: a pooler that lends server
    /// connections for one transaction takes the LISTEN and passes nothing on.
    async fn hears(&mut self, settings: &Settings, link: &Link, calls: &Calls) -> Result<bool, Fault> {
        let listen = format!("LISTEN {}", super::link::quoted(&settings.schema));
        let Ok(listening) = timeout(settings.connect, self.client.batch_execute(&listen)).await else {
            return Err(Fault::unavailable("no answer to LISTEN"));
        };
        listening?;
        let hello = format!("{HELLO} {}", literal(&settings.schema));
        let params = [(&settings.schema.as_str() as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT)];
        // A call is a write: it waits for the standby.
        link.write(1, &format!("SELECT pg_notify($1, {})", literal(&hello)), &params).await?;
        let proof = timeout(PROOF, async {
            while let Some(said) = self.heard.recv().await {
                if said == hello {
                    return true;
                }
                calls.pass(&said);
            }
            false
        });
        match proof.await {
            Ok(true) => Ok(true),
            Ok(false) => Err(Fault::unavailable("the connection that listens was lost")),
            Err(_) => Ok(false),
        }
    }
}

/// Connects, and passes on what is said on the connection until it ends.
async fn dial<T>(settings: &Settings, tls: T) -> Result<Ear, Fault>
where
    T: MakeTlsConnect<Socket> + Clone + Send,
    T::Stream: Send + Unpin + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let Ok(connected) = timeout(settings.connect, first(&settings.servers(), &tls)).await else {
        return Err(Fault::unavailable("no connection in time"));
    };
    let (client, mut connection) = connected?;
    let (says, heard) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(said) = message {
                // One that finds no room is not missed: as many others are waiting to wake the same reader.
                drop(says.try_send(said.payload().to_owned()));
            }
        }
    });
    Ok(Ear { client, heard })
}
