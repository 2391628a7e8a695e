//! The compact serialization (RFC 7515 §7.1): three parts, strict base64url. Owns size and shape; reads no JSON.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::rejection::Rejection;

/// Longest token that is looked at.
///
/// **Units:** bytes.
pub const TOKEN_MAX: usize = 16 * 1024;

/// Longest signature of any key that is taken: RSA with 8192 bits.
const SIGNATURE_MAX: usize = 1024;

/// A token cut at its two dots; nothing is decoded.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// Header, dot, payload: what the signature is over.
    pub(crate) signed: &'a str,
}

impl<'a> Compact<'a> {
    /// Cuts a text.
    ///
    /// **Cost:** no allocation, whatever the text holds.
    pub(crate) fn split(text: &'a str) -> Result<Self, Rejection> {
        if text.len() > TOKEN_MAX {
            return Err(Rejection::TooLong);
        }
        let (header, rest) = text.split_once('.').ok_or(Rejection::WrongPartCount)?;
        let (payload, signature) = rest.split_once('.').ok_or(Rejection::WrongPartCount)?;
        if signature.contains('.') {
            return Err(Rejection::WrongPartCount);
        }
        let signed = text.get(..header.len() + 1 + payload.len()).ok_or(Rejection::WrongPartCount)?;
        Ok(Self { header, payload, signature, signed })
    }
}

/// A decoded signature, on the stack.
pub(crate) struct SignatureBytes {
    bytes: [u8; SIGNATURE_MAX],
    length: usize,
}

impl SignatureBytes {
    pub(crate) fn decode(part: &str) -> Result<Self, Rejection> {
        let mut bytes = [0; SIGNATURE_MAX];
        // No key's signature is that long, so it is wrong, whatever it encodes.
        if part.len() > SIGNATURE_MAX.div_ceil(3) * 4 {
            return Err(Rejection::BadSignature);
        }
        let length = URL_SAFE_NO_PAD.decode_slice(part, &mut bytes).map_err(|_| Rejection::BadEncoding)?;
        Ok(Self { bytes, length })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Decodes a part. Strict: no padding, no blank, no character outside of the alphabet, no stray bits in the last one.
pub(crate) fn decode(part: &str) -> Result<Vec<u8>, Rejection> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::BadEncoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    // holds: 46, R10
    #[test]
    fn only_three_parts_pass() {
        for text in ["", "a", "a.b", "a.b.c.d", "....", &".".repeat(TOKEN_MAX)] {
            assert_eq!(Compact::split(text).err(), Some(Rejection::WrongPartCount));
        }
        let parts = Compact::split("a.b.c").unwrap();
        assert_eq!((parts.header, parts.payload, parts.signature, parts.signed), ("a", "b", "c", "a.b"));
    }

    // holds: R9
    #[test]
    fn a_million_dots_are_refused_by_length_alone() {
        assert_eq!(Compact::split(&".".repeat(1_000_000)).err(), Some(Rejection::TooLong));
    }

    // holds: 63
    #[test]
    fn base64_is_strict() {
        assert_eq!(decode("QUI").unwrap(), b"AB");
        for part in ["QUI=", "QUJ", "QU I", " QUI", "QUI\n", "QU+I", "QU/I", "Q", "QUI?", "QÜI"] {
            assert_eq!(decode(part), Err(Rejection::BadEncoding), "{part}");
            assert!(SignatureBytes::decode(part).is_err(), "{part}");
        }
    }
}
