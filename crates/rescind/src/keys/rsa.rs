//! What must hold of an RSA public key before it is used: size, exponent, and no ROCA structure. Owns the reading
//! of `RSAPublicKey` (RFC 8017 §A.1.1) that our own key pairs give; verifies no signature.

use super::KeyError;

/// The numbers of an RSA public key, big-endian without leading zeros.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RsaPublic {
    pub(super) n: Box<[u8]>,
    pub(super) e: Box<[u8]>,
}

impl RsaPublic {
    /// Takes the numbers where they are fit for use. RFC 7518 §6.3.1.1: no leading zero octets.
    pub(super) fn new(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let high = n.first().ok_or(KeyError::RsaSize)?;
        let bits = n.len() * 8 - high.leading_zeros() as usize;
        if *high == 0 || !(2048..=8192).contains(&bits) {
            return Err(KeyError::RsaSize);
        }
        let odd = e.last().is_some_and(|byte| byte & 1 == 1);
        // AWS-LC takes at most 33 bits.
        if !odd || e.first() == Some(&0) || e == [1] || e.len() > 4 {
            return Err(KeyError::RsaExponent);
        }
        if has_roca_structure(n) {
            return Err(KeyError::RsaRoca);
        }
        Ok(Self { n: n.into(), e: e.into() })
    }

    /// Reads the DER that AWS-LC gives for its own key pairs.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let (n, e) = numbers(der).ok_or(KeyError::RsaSize)?;
        let unsigned = |number: &[u8]| -> Box<[u8]> { number.strip_prefix(&[0]).unwrap_or(number).into() };
        Self::new(&unsigned(n), &unsigned(e))
    }
}

fn numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, rest) = element(0x30, der)?;
    let (n, after) = element(0x02, body)?;
    let (e, end) = element(0x02, after)?;
    (rest.is_empty() && end.is_empty()).then_some((n, e))
}

/// Splits one DER element with this tag off the front: its content, and what follows.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.len() > 2 {
            return None;
        }
        length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        rest = after;
    }
    rest.split_at_checked(length)
}

/// Whether the modulus lies, modulo each of these primes, in the subgroup that 65537 generates. A sound modulus does
/// so with probability below 2^-27. **Source:** Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, §4.2.
fn has_roca_structure(n: &[u8]) -> bool {
    const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.into_iter().all(|prime| {
        let residue = n.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * (65537 % prime) % prime;
            power == residue
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // holds: 57, 64
    #[test]
    fn a_weak_exponent_or_size_is_refused() {
        let mut n = vec![0xb5; 256];
        n[255] = 0x01;
        assert!(RsaPublic::new(&n, &[1, 0, 1]).is_ok());
        for e in [&[][..], &[1], &[2], &[0, 3], &[1, 0, 0], &[1, 1, 1, 1, 1, 1]] {
            assert!(matches!(RsaPublic::new(&n, e), Err(KeyError::RsaExponent)), "{e:?}");
        }
        assert!(matches!(RsaPublic::new(&n[..128], &[1, 0, 1]), Err(KeyError::RsaSize)));
        assert!(matches!(RsaPublic::new(&[], &[1, 0, 1]), Err(KeyError::RsaSize)));
        n[0] = 0x7f;
        assert!(matches!(RsaPublic::new(&n, &[1, 0, 1]), Err(KeyError::RsaSize)));
        n[0] = 0;
        assert!(matches!(RsaPublic::new(&n, &[1, 0, 1]), Err(KeyError::RsaSize)));
    }

    #[test]
    fn cut_der_is_no_key() {
        assert!(RsaPublic::from_pkcs1(&[0x30, 0x82, 0xff]).is_err());
        assert!(RsaPublic::from_pkcs1(&[]).is_err());
        assert!(RsaPublic::from_pkcs1(&[0x30, 0x80, 0x02]).is_err());
    }
}
