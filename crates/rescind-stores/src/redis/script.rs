//! The scripts, each one file beside this one. Those of the log's slot begin with `head.lua`; those that only read prove
//! with `master.lua` that what they read is not a replica's.

use redis::Cmd;

/// A script and the digest under which Redis keeps it.
pub(super) struct Script {
    text: String,
    digest: String,
}

impl Script {
    fn new(text: String) -> Self {
        let digest = redis::Script::new(&text).get_hash().to_owned();
        Self { text, digest }
    }

    /// The call by its digest, or with its whole text where the server does not know it yet.
    pub(super) fn call(&self, how: Sent, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Cmd {
        let mut cmd = match how {
            Sent::ByDigest => redis::cmd("EVALSHA"),
            Sent::Whole => redis::cmd("EVAL"),
        };
        cmd.arg(match how {
            Sent::ByDigest => &self.digest,
            Sent::Whole => &self.text,
        });
        cmd.arg(keys.len());
        for part in keys.iter().chain(args) {
            cmd.arg(part.as_slice());
        }
        cmd
    }
}

/// How a script is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    ByDigest,
    Whole,
}

macro_rules! scripts {
    ($($name:ident: [$($file:literal),+]),* $(,)?) => {
        /// Every script of the store.
        pub(super) struct Scripts {
            $(pub(super) $name: Script),*
        }

        impl Scripts {
            pub(super) fn new() -> Self {
                Self { $($name: Script::new([$(include_str!(concat!("scripts/", $file, ".lua"))),+].concat())),* }
            }
        }
    };
}

scripts!(
    head: ["head", "master", "read_head"],
    append: ["head", "append"],
    unsettled: ["head", "master", "unsettled"],
    settle: ["head", "settle"],
    newest: ["head", "master", "newest"],
    entry: ["head", "master", "entry"],
    scan: ["head", "master", "scan"],
    after: ["head", "master", "after"],
    reincarnate: ["head", "reincarnate"],
    forget: ["head", "forget"],
    record: ["head", "master", "record"],
    put_record: ["head", "put_record"],
    records: ["head", "master", "records"],
    cover: ["head", "master", "cover"],
    rows: ["head", "master", "rows"],
    open: ["head", "insert", "open"],
    open_far: ["insert", "open_far"],
    advance: ["advance"],
    ended: ["ended"],
    forget_sessions: ["forget_sessions"],
);
