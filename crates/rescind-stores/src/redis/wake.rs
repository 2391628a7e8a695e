//! Being called when the log has grown. Owns a connection that listens; a hint, and never more. Readers are woken by it, and
//! whoever has left it to another node to settle.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisResult, Value};
use tokio::sync::{Notify, mpsc};

use super::core::Core;
use super::link::Link;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How often the connection is asked whether it still is one.
const ASK: Duration = Duration::from_secs(5);

/// Calls whoever waits.
#[derive(Default)]
pub(super) struct Bell {
    notify: Notify,
}

impl Bell {
    /// Starts to listen, for as long as the store lives.
    pub(super) fn hang(core: &Arc<Core>) -> Arc<Self> {
        let bell = Arc::new(Self::default());
        tokio::spawn(listen(Arc::downgrade(core), Arc::downgrade(&bell)));
        bell
    }

    /// Waits for the next call, or returns at once where one came since the last wait.
    pub(super) async fn rung(&self) {
        self.notify.notified().await;
    }
}

async fn listen(core: Weak<Core>, bell: Weak<Bell>) {
    let mut wait = FIRST_WAIT;
    loop {
        let Some(there) = core.upgrade() else { return };
        let (sender, mut calls) = mpsc::unbounded_channel::<PushInfo>();
        let connected = connect(&there.link, sender, &there.keys.channel()).await;
        drop(there);
        if let Ok(mut connection) = connected {
            wait = FIRST_WAIT;
            // What grew while nobody listened was not heard.
            let Some(there) = bell.upgrade() else { return };
            there.notify.notify_one();
            drop(there);
            loop {
                match tokio::time::timeout(ASK, calls.recv()).await {
                    Ok(Some(PushInfo { kind: PushKind::Disconnection, .. }) | None) => break,
                    Ok(Some(push)) => {
                        let (Some(there), Some(core)) = (bell.upgrade(), core.upgrade()) else { return };
                        if push.kind == PushKind::Message {
                            there.notify.notify_one();
                            if let Some(Value::BulkString(call)) = push.data.last() {
                                core.settler.hear(call);
                            }
                        }
                    }
                    Err(_) if bell.strong_count() == 0 => return,
                    Err(_) if redis::cmd("PING").query_async::<()>(&mut connection).await.is_err() => break,
                    Err(_) => {}
                }
            }
        }
        if bell.strong_count() == 0 {
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}

async fn connect(
    link: &Link,
    calls: mpsc::UnboundedSender<PushInfo>,
    channel: &str,
) -> RedisResult<redis::aio::MultiplexedConnection> {
    // In a cluster every node passes calls on.
    let nodes = match link.door.client().await? {
        Some(client) => vec![client.get_connection_info().clone()],
        None => link.address.nodes.clone(),
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(LAST_WAIT))
        .set_response_timeout(Some(LAST_WAIT * 2))
        .set_push_sender(calls);
    let mut last = Err((redis::ErrorKind::InvalidClientConfig, "no host").into());
    for node in nodes {
        last = subscribe(link, node, &config, channel).await;
        if last.is_ok() {
            break;
        }
    }
    last
}

async fn subscribe(
    link: &Link,
    node: ConnectionInfo,
    config: &AsyncConnectionConfig,
    channel: &str,
) -> RedisResult<redis::aio::MultiplexedConnection> {
    let settings = node.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let node = node.set_redis_settings(settings);
    let client = match super::link::certificates(&link.address)? {
        Some(certificates) => Client::build_with_tls(node, certificates)?,
        None => Client::open(node)?,
    };
    let mut connection = client.get_multiplexed_async_connection_with_config(config).await?;
    connection.subscribe(channel).await?;
    Ok(connection)
}
