//! What a node that is followed answers, or whoever sits on the wire: a batch of the log, its end, and a snapshot. An answer
//! is taken only where its entries follow each other and add up; everything else is a fault that names the node.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rescind::log::ChainTag;
use rescind::position::Seq;
use rescind::store::{Feed, Store, StoreError};
use rescind::time::Timestamp;
use rescind::{Rescind, Settings};
use rescind_axum::follow::{FeedStore, Follow, Following};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::ground::{AUDIENCE, ISSUER, ring};

/// The positions that a follower may stand at.
const STANDS: [u64; 5] = [0, 1, 5, (1 << 53) - 1, u64::MAX];

/// An answer's body. It is given to both questions, and as the end of the log.
pub(super) fn feed(bytes: &[u8]) {
    let ground = ground();
    ground.runtime.block_on(async {
        for (status, stands) in [(200, &STANDS[..]), (410, &STANDS[..1])] {
            ground.says(status, bytes);
            for stand in stands {
                match ground.log.after(Seq::new(*stand), 100).await {
                    Ok(Feed::Batch(batch)) => {
                        let follows = batch.entries.iter().zip(1..).all(|(entry, n)| entry.seq == Seq::new(stand + n));
                        assert!(follows && status == 200);
                        assert_eq!(batch.entries.iter().fold(batch.prev_tag, ChainTag::next), batch.tag);
                    }
                    Ok(Feed::Gone(_)) => assert_eq!(status, 410),
                    Err(error) => told(&error),
                }
            }
        }
        ground.says(200, bytes);
        if let Err(error) = ground.log.snapshot(Timestamp::EPOCH).await {
            told(&error);
        }
        let _age = (ground.log.behind(), ground.log.longest_life());
    });
}

fn told(error: &StoreError) {
    assert!(error.to_string().contains("the node that is followed"), "{error}");
}

struct Ground {
    runtime: Runtime,
    log: FeedStore,
    /// Ends with the process.
    _handle: Rescind,
    answer: Answer,
}

/// What the node says; as long as nothing is to be said, that its log is empty.
type Answer = Arc<Mutex<Option<(u16, Vec<u8>)>>>;

impl Ground {
    fn says(&self, status: u16, body: &[u8]) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some((status, body.to_vec()));
    }
}

fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let answer = Answer::default();
        let told = Arc::clone(&answer);
        let Following { rescind, log, .. } = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let at = url.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, at.clone(), Arc::clone(&told)));
                }
            });
            let follow = Rescind::follow(url).feed_token("token").audience(AUDIENCE).settings(Settings::default());
            follow.follow().await.unwrap()
        });
        Ground { runtime, log, _handle: rescind, answer }
    })
}

/// What a node with an empty log answers.
fn empty_log(at: &str, asked: &str) -> (u16, Vec<u8>) {
    let zero = "0".repeat(32);
    let head = format!("{{\"incarnation\":\"{zero}\",\"seq\":0,\"tag\":\"{zero}\",\"now\":0}}");
    let text = if asked.contains("/jwks") {
        ring().jwks()
    } else if asked.contains("/snapshot") {
        format!(
            "{{\"head\":{head},\"age_ms\":0,\"issuer\":\"{ISSUER}\",\"jwks_uri\":\"{at}/jwks\",\
             \"max_access_lifetime\":900,\"cut_offs\":[\n],\"count\":0}}\n"
        )
    } else {
        format!("{{\"prev_tag\":\"{zero}\",\"entries\":[],\"tag\":\"{zero}\",\"head\":{head},\"age_ms\":0}}")
    };
    (200, text.into_bytes())
}

/// Answers on one connection; the stream of events is refused.
async fn serve(mut stream: TcpStream, at: String, answer: Answer) {
    let mut asked = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
        asked.extend_from_slice(chunk.get(..length).unwrap_or_default());
        if !asked.ends_with(b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8_lossy(&asked).into_owned();
        let said = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (status, body) = match said {
            _ if head.contains("text/event-stream") => (503, Vec::new()),
            Some(said) if !head.contains("/jwks") => said,
            _ => empty_log(&at, &head),
        };
        asked.clear();
        let head =
            format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
            return;
        }
    }
}
