//! How a class of clients rotates its refresh tokens. Owns the classes and their grace.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The class of a client, which decides how its refresh tokens rotate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientClass {
    /// Tabs share one token and lose replies: rotation with the configured grace.
    #[default]
    Browser,
    /// An installed application: as a browser.
    Native,
    /// A program that retries for longer: rotation with six times the configured grace.
    Agent,
    /// Rotation without grace: every second use is reuse.
    Strict,
    /// No rotation, for confidential and sender-constrained clients (FAPI 2.0 §5.3.2.1).
    Fixed,
}

impl ClientClass {
    /// Every class.
    pub const EVERY: [Self; 5] = [Self::Browser, Self::Native, Self::Agent, Self::Strict, Self::Fixed];

    /// The class's word on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Native => "native",
            Self::Agent => "agent",
            Self::Strict => "strict",
            Self::Fixed => "fixed",
        }
    }

    /// Reads the class's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|class| class.as_str() == word)
    }

    /// How long after a rotation the token before it is still answered, from the configured grace.
    pub fn grace(self, configured: Duration) -> Duration {
        match self {
            Self::Browser | Self::Native => configured,
            Self::Agent => configured.saturating_mul(6),
            Self::Strict | Self::Fixed => Duration::ZERO,
        }
    }

    /// Whether a use replaces the token by its successor.
    pub const fn rotates(self) -> bool {
        !matches!(self, Self::Fixed)
    }
}
