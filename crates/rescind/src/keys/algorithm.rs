//! The signature algorithms that exist here (RFC 7518 §3, RFC 8037). Owns their names; there is no `none`.

use std::fmt;

/// A signature algorithm. A key is bound to exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDSA,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    Rs256,
    /// RSASSA-PSS with SHA-256 (RFC 7518 §3.5).
    Ps256,
    /// HMAC with SHA-256 (RFC 7518 §3.2). Whoever can verify can sign.
    Hs256,
}

impl Algorithm {
    /// Every algorithm; the default first.
    pub const EVERY: [Self; 5] = [Self::EdDSA, Self::Es256, Self::Rs256, Self::Ps256, Self::Hs256];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDSA => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Hs256 => "HS256",
        }
    }

    /// Reads a name. RFC 7515 §4.1.1: the name is case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether whoever can verify can also sign. Such a key is never published.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // holds: 43
    #[test]
    fn a_name_is_case_sensitive_and_none_is_no_name() {
        for algorithm in Algorithm::EVERY {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(Algorithm::from_name(&algorithm.name().to_lowercase()), None);
        }
        for name in ["none", "None", "NONE", "noNE", "", "HS384", "EdDSA ", "Ed448"] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
    }
}
