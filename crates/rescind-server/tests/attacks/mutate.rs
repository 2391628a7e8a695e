//! Writes a token anew: the same parts in another encoding, another order, another signature of the same text. Owns the
//! names of these changes; whether the result is a token is the server's matter.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::forge::{der, integer};

/// The order of P-256 (FIPS 186-4 §D.1.2.3).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of Ed25519's group, little-endian (RFC 8032 §5.1).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A token's three parts.
type Parts = [Vec<u8>; 3];

/// Applies a change of this name: `CHANGE`, or `CHANGE.PART` with `h`, `p` or `s` for header, payload or signature.
pub(crate) fn apply(token: &[u8], change: &str) -> Vec<u8> {
    let mut parts = parts_of(token);
    if let Some((change, part)) = change.rsplit_once('.') {
        let at = ["h", "p", "s"].iter().position(|name| *name == part).expect(part);
        parts[at] = of_a_part(change, &parts[at]);
        return parts.join(&b'.');
    }
    let [header, payload, signature] = &parts;
    match change {
        "dot-before" => [b".", token].concat(),
        "dot-behind" => [token, b"."].concat(),
        "double-dot" => [header.as_slice(), b"", payload, signature].join(&b'.'),
        "fourth-part" => [token, b".", signature].concat(),
        "two-parts" => [header.as_slice(), payload].join(&b'.'),
        "five-parts" => [header.as_slice(), payload, signature, b"", b""].join(&b'.'),
        "only-signature" => signature.clone(),
        "one-part" => parts.concat(),
        "swapped" => [payload.as_slice(), header, signature].join(&b'.'),
        "no-header" => [b"", payload.as_slice(), signature].join(&b'.'),
        "no-payload" => [header.as_slice(), b"", signature].join(&b'.'),
        "twice" => [token, b".", token].concat(),
        "reversed" => token.iter().rev().copied().collect(),
        "upper" => token.to_ascii_uppercase(),
        "quoted" => [b"\"", token, b"\""].concat(),
        "slashes" => parts.join(&b'/'),
        "commas" => parts.join(&b','),
        "percent-dots" => parts.join(&b"%2e"[..]),
        "full-stops" => parts.join("\u{3002}".as_bytes()),
        "blank-before" => [b" ", token].concat(),
        "blank-behind" => [token, b" "].concat(),
        "line-behind" => [token, b"\n"].concat(),
        "nul-behind" => [token, b"\0"].concat(),
        "bom-before" => [b"\xef\xbb\xbf", token].concat(),
        "utf-16" => token.iter().flat_map(|byte| [*byte, 0]).collect(),
        "wide" => token.iter().flat_map(|byte| wide(*byte).to_string().into_bytes()).collect(),
        "zero-width" => [header.as_slice(), b"\xe2\x80\x8b.", payload, b".", signature].concat(),
        "json" => json(&parts, "{\"payload\":\"P\",\"protected\":\"H\",\"signature\":\"S\"}"),
        "json-general" => {
            json(&parts, "{\"payload\":\"P\",\"signatures\":[{\"protected\":\"H\",\"signature\":\"S\"}]}")
        }
        "json-unprotected" => {
            json(&parts, "{\"payload\":\"P\",\"protected\":\"H\",\"header\":{\"alg\":\"none\"},\"signature\":\"S\"}")
        }
        _ => panic!("no change {change}"),
    }
}

fn parts_of(token: &[u8]) -> Parts {
    let parts: Vec<Vec<u8>> = token.split(|byte| *byte == b'.').map(<[u8]>::to_vec).collect();
    parts.try_into().expect("a token of three parts")
}

fn of_a_part(change: &str, part: &[u8]) -> Vec<u8> {
    let half = part.len() / 2;
    let inside = |what: &[u8]| [&part[..half], what, &part[half..]].concat();
    match change {
        "pad" => [part, b"="].concat(),
        "pad-twice" => [part, b"=="].concat(),
        "pad-inside" => inside(b"="),
        "stray-bits" => stray_bits(part),
        "standard" => changed(&recoded(part, &STANDARD_NO_PAD), part),
        "line" => inside(b"\n"),
        "crlf" => inside(b"\r\n"),
        "blank" => inside(b" "),
        "tab" => inside(b"\t"),
        "nul" => inside(b"\0"),
        "star" => inside(b"*"),
        "percent" => [&part[..half], format!("%{:02X}", part[half]).as_bytes(), &part[half + 1..]].concat(),
        "upper" => changed(&part.to_ascii_uppercase(), part),
        "lower" => changed(&part.to_ascii_lowercase(), part),
        "short" => part[..part.len() - 1].to_vec(),
        "long" => [part, b"A"].concat(),
        "twice" => part.repeat(2),
        "empty" => Vec::new(),
        "utf-16" => encoded(&decoded(part).iter().flat_map(|byte| [*byte, 0]).collect::<Vec<_>>()),
        "bom" => encoded(&[b"\xef\xbb\xbf", decoded(part).as_slice()].concat()),
        "blanks" => text_of(part, |json| json.replace(':', " : ")),
        "blank-first" => text_of(part, |json| format!(" {json}")),
        "line-last" => text_of(part, |json| format!("{json}\n")),
        "escaped" => text_of(part, |json| json.replacen('a', "\\u0061", 1)),
        "reordered" => text_of(part, reordered),
        "more" => text_of(part, |json| json.replacen('{', "{\"x\":1,", 1)),
        "twice-a-member" => text_of(part, |json| format!("{},{}", json.trim_end_matches('}'), &json[1..])),
        _ => encoded(&of_a_signature(change, &decoded(part))),
    }
}

fn of_a_signature(change: &str, signature: &[u8]) -> Vec<u8> {
    let half = signature.len() / 2;
    let (first, last) = signature.split_at(half);
    let halves = |first: &[u8], last: &[u8]| [first, last].concat();
    let zero = vec![0; half];
    let array = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).unwrap();
    match change {
        "negated" => halves(first, &minus(P256_ORDER, array(last))),
        "plus-order" => halves(first, &plus_little(array(last), ED25519_ORDER)),
        "r-plus-order" => halves(&plus_big(array(first), P256_ORDER), last),
        "der" => der(0x30, &[integer(first), integer(last)].concat()),
        "asn1-padded" => halves(&[&[0], first].concat(), &[&[0], last].concat()),
        "zeros" => halves(&zero, &zero),
        "r-zero" => halves(&zero, last),
        "s-zero" => halves(first, &zero),
        "orders" => halves(&P256_ORDER, &P256_ORDER),
        "swapped-halves" => halves(last, first),
        "zero-before" => [&[0], signature].concat(),
        "zero-behind" => [signature, &[0]].concat(),
        "half" => first.to_vec(),
        "first-byte" => signature[..1].to_vec(),
        "one-bit" => {
            let mut altered = signature.to_vec();
            altered[half] ^= 1;
            altered
        }
        _ => panic!("no change {change} of a part"),
    }
}

/// Sets a bit of the last character that stands for no byte.
fn stray_bits(part: &[u8]) -> Vec<u8> {
    assert_ne!(part.len() % 4, 0, "no bits are left over");
    let (last, rest) = part.split_last().unwrap();
    let at = ALPHABET.iter().position(|it| it == last).unwrap();
    [rest, &[ALPHABET[at | 1]]].concat()
}

fn recoded(part: &[u8], engine: &GeneralPurpose) -> Vec<u8> {
    engine.encode(decoded(part)).into_bytes()
}

/// A change that changes nothing proves nothing.
fn changed(now: &[u8], before: &[u8]) -> Vec<u8> {
    assert_ne!(now, before, "the part reads the same in the other alphabet");
    now.to_vec()
}

fn decoded(part: &[u8]) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    URL_SAFE_NO_PAD.encode(bytes).into_bytes()
}

fn text_of(part: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let text = String::from_utf8(decoded(part)).unwrap();
    encoded(changed(change(&text).as_bytes(), text.as_bytes()).as_slice())
}

/// The last member of an object of flat values first.
fn reordered(json: &str) -> String {
    let inner = json.trim_start_matches('{').trim_end_matches('}');
    let (rest, last) = inner.rsplit_once(",\"").unwrap();
    format!("{{\"{last},{rest}}}")
}

fn json(parts: &Parts, shape: &str) -> Vec<u8> {
    let text = |at: usize| std::str::from_utf8(&parts[at]).unwrap().to_owned();
    let [header, payload, signature] = [0, 1, 2].map(text);
    let shape = shape.replace("\"H\"", &format!("\"{header}\"")).replace("\"P\"", &format!("\"{payload}\""));
    shape.replace("\"S\"", &format!("\"{signature}\"")).into_bytes()
}

/// The full-width form of an ASCII character, which some libraries fold to it.
fn wide(byte: u8) -> char {
    char::from_u32(u32::from(byte) + 0xfee0).unwrap()
}

fn minus(from: [u8; 32], what: [u8; 32]) -> [u8; 32] {
    let mut difference = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let value = i16::from(from[at]) - i16::from(what[at]) - borrow;
        borrow = i16::from(value < 0);
        difference[at] = u8::try_from(value.rem_euclid(256)).unwrap();
    }
    difference
}

fn plus_little(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut carry = 0;
    for at in 0..32 {
        let value = u16::from(a[at]) + u16::from(b[at]) + carry;
        sum[at] = u8::try_from(value & 0xff).unwrap();
        carry = value >> 8;
    }
    sum
}

fn plus_big(mut a: [u8; 32], mut b: [u8; 32]) -> [u8; 32] {
    a.reverse();
    b.reverse();
    let mut sum = plus_little(a, b);
    sum.reverse();
    sum
}
