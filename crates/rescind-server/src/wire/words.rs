//! Words of the admin API that have few values, as its document lists them. On the wire they are texts, which a reader
//! of another version passes over.
#![expect(dead_code, reason = "words are described and never made")]

use utoipa::ToSchema;

/// What a revocation stands on.
#[derive(ToSchema)]
pub(crate) enum KindWord {
    #[schema(rename = "token")]
    Token,
    #[schema(rename = "session")]
    Session,
    #[schema(rename = "subject")]
    Subject,
    #[schema(rename = "client")]
    Client,
    #[schema(rename = "key")]
    Key,
    #[schema(rename = "all")]
    All,
}

/// How a client's refresh tokens behave.
#[derive(ToSchema)]
pub(crate) enum ClassWord {
    #[schema(rename = "browser")]
    Browser,
    #[schema(rename = "native")]
    Native,
    #[schema(rename = "agent")]
    Agent,
    #[schema(rename = "strict")]
    Strict,
    #[schema(rename = "fixed")]
    Fixed,
}

/// A key's place in the ring.
#[derive(ToSchema)]
pub(crate) enum KeyStateWord {
    #[schema(rename = "next")]
    Next,
    #[schema(rename = "current")]
    Current,
    #[schema(rename = "retired")]
    Retired,
    #[schema(rename = "revoked")]
    Revoked,
}

/// Whether a node is there.
#[derive(ToSchema)]
pub(crate) enum NodeStateWord {
    #[schema(rename = "live")]
    Live,
    #[schema(rename = "left")]
    Left,
    #[schema(rename = "silent")]
    Silent,
}

/// What a text is.
#[derive(ToSchema)]
pub(crate) enum TokenKindWord {
    #[schema(rename = "access")]
    Access,
    #[schema(rename = "refresh")]
    Refresh,
    #[schema(rename = "unknown")]
    Unknown,
}
