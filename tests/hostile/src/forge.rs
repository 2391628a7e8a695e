//! Access tokens built from choices: every algorithm, header, claim and encoding that an attacker has tried somewhere, most
//! of them signed properly, so that what stands behind the signature is reached. No choices make a good token.

use rescind::id::KeyId;
use rescind::keys::{Algorithm, SigningKey};

use crate::dice::Dice;
use crate::ground::{AUDIENCE, ISSUER, NOW, base64url, key, ring};

/// A token, and whether anything is odd about it.
#[derive(Debug, Clone)]
pub struct Forged {
    /// Its text.
    pub text: String,
    /// What was done to it, in the order in which it was; nothing to a good one.
    pub oddities: Vec<&'static str>,
}

/// Mostly cheap to sign with: RSA takes a hundred times as long.
const ALGORITHMS: [Algorithm; 16] = {
    use Algorithm::{EdDSA, Es256, Hs256, Ps256, Rs256};
    [EdDSA, Hs256, EdDSA, Hs256, EdDSA, Hs256, EdDSA, Hs256, Es256, Es256, EdDSA, Hs256, EdDSA, Hs256, Rs256, Ps256]
};

const ALG: [&str; 14] = [
    "none", "None", "nOnE", "", "HS256", "EdDSA", "ES256", "RS256", "PS256", "HS384", "RS512", "eddsa", "Ed25519",
    "ES256K",
];
const TYP: [&str; 9] =
    ["JWT", "AT+JWT", "application/at+jwt", "Application/AT+jwt", "at+jwt ", "logout+jwt", "", "text/at+jwt", "jwt"];
const MEMBERS: [&str; 22] = [
    r#""crit":["b64"]"#,
    r#""crit":[]"#,
    r#""crit":null"#,
    r#""b64":false"#,
    r#""b64":true"#,
    r#""jwk":{}"#,
    r#""jku":"https://evil.example""#,
    r#""x5u":"https://evil.example""#,
    r#""x5c":["AA"]"#,
    r#""x5t":"AA""#,
    r#""zip":"DEF""#,
    r#""enc":"A256GCM""#,
    r#""cty":"JWT""#,
    r#""alg":"none""#,
    r#""\u0061lg":"none""#,
    r#""kid":"x""#,
    r#""typ":"at+jwt""#,
    r#""x":1e400"#,
    r#""x":{"a":1,"a":2}"#,
    r#""x":"\ud800""#,
    r#""x":[[[[[[[[]]]]]]]]"#,
    r#""":"""#,
];
const NAMES: [&str; 14] = [
    "iss",
    "sub",
    "aud",
    "client_id",
    "iat",
    "exp",
    "nbf",
    "jti",
    "sid",
    "seq",
    "auth_time",
    "scope",
    "x",
    "\\u0069ss",
];
const VALUES: [&str; 40] = [
    "",
    "null",
    "true",
    "0",
    "-1",
    "-0",
    "1",
    "1.0",
    "1e3",
    "1.8e9",
    "1e400",
    "1800000000",
    "1800000010",
    "1800000011",
    "1800000900",
    "1800000901",
    "1800000001.5",
    "1799999999",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    "\"\"",
    "\"1800000900\"",
    "\"alice\"",
    "\"https://login.example\"",
    "\"https://login.example/\"",
    "\"https:\\/\\/login.example\"",
    "\"https://api.example\"",
    "\"HTTPS://API.EXAMPLE\"",
    "[]",
    "[\"https://api.example\"]",
    "[\"x\",\"https://api.example\"]",
    "[[\"https://api.example\"]]",
    "[1,\"https://api.example\"]",
    "{}",
    "\"0198c0de-0000-7000-8000-00000000BEEF\"",
    "\"0198c0de0000700080000000000beef\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
];

/// Changes that nearly pass, or just do: the only oddity of most tokens that have one.
const NEAR: [(&str, &str); 32] = [
    ("iss", "\"https://login.example/\""),
    ("iss", "\"https://login.example.evil.example\""),
    ("iss", "\"HTTPS://login.example\""),
    ("iss", "\"https:\\/\\/login.example\""),
    ("iss", "[\"https://login.example\"]"),
    ("aud", "\"https://api.example/\""),
    ("aud", "\"https://api.example.evil.example\""),
    ("aud", "[\"x\",\"https://api.example\"]"),
    ("aud", "[\"x\",\"https://api.example/\"]"),
    ("aud", "[]"),
    ("aud", ""),
    ("exp", "1800000000"),
    ("exp", "1800000001"),
    ("exp", "1800000900"),
    ("exp", "1800000901"),
    ("exp", "\"1800000900\""),
    ("exp", "1800000900.5"),
    ("exp", "1.8000009e9"),
    ("exp", ""),
    ("nbf", "1800000000"),
    ("nbf", "1800000010"),
    ("nbf", "1800000011"),
    ("nbf", "\"0\""),
    ("iat", "1800000010"),
    ("iat", "1800000011"),
    ("iat", "1799999999"),
    ("iat", ""),
    ("sub", "\"\""),
    ("sub", ""),
    ("jti", "\"0198c0de-0000-7000-8000-00000000beee\""),
    ("scope", "\"read write\""),
    ("x", "{\"a\":[1,2.5,null]}"),
];

/// Builds a token.
pub fn access_token(dice: &mut Dice<'_>) -> Forged {
    let mut oddities = Vec::new();
    let algorithm = *dice.one(&ALGORITHMS);
    let honest = key(algorithm);
    let forger;
    let signer = match dice.below(8) {
        7 if !matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256) => {
            oddities.push("signed by a key of somebody else's");
            forger = stranger(algorithm, honest.id());
            &forger
        }
        _ => honest,
    };
    let header = header(dice, honest, &mut oddities);
    let payload = payload(dice, &mut oddities);
    let text = crate::ground::sign(signer, header, payload);
    let text = reencoded(dice, text, &mut oddities);
    Forged { text, oddities }
}

/// A key with the name of one of ours.
fn stranger(algorithm: Algorithm, id: &KeyId) -> SigningKey {
    SigningKey::generate(algorithm, id.clone(), &rescind::testing::SeededRandom::new(9)).unwrap()
}

fn header(dice: &mut Dice<'_>, key: &SigningKey, oddities: &mut Vec<&'static str>) -> Vec<u8> {
    let (mut alg, mut typ) = (key.algorithm().name(), "at+jwt");
    let mut kid = Some(key.id().as_str());
    let mut more = Vec::new();
    for _ in 0..dice.below(8).saturating_sub(5) {
        oddities.push(match dice.below(6) {
            0 => {
                alg = *dice.one(&ALG);
                "alg"
            }
            1 => {
                typ = *dice.one(&TYP);
                "typ"
            }
            2 => {
                more.push(*dice.one(&MEMBERS));
                "header member"
            }
            3 => {
                kid = None;
                "kid missing"
            }
            4 => {
                kid = Some(dice.one(ring().keys()).id().as_str());
                "kid of another key"
            }
            _ => "header order",
        });
    }
    let kid = kid.map(|kid| format!(r#""kid":"{kid}""#));
    let (alg, typ) = (format!(r#""alg":"{alg}""#), format!(r#""typ":"{typ}""#));
    let mut members: Vec<&str> =
        [Some(alg.as_str()), Some(typ.as_str()), kid.as_deref()].into_iter().flatten().collect();
    members.extend(more);
    let blank = if oddities.contains(&"header order") {
        members.reverse();
        " "
    } else {
        ""
    };
    format!("{{{blank}{}{blank}}}", members.join(",")).into_bytes()
}

fn payload(dice: &mut Dice<'_>, oddities: &mut Vec<&'static str>) -> Vec<u8> {
    let (iat, exp) = (NOW.as_secs().to_string(), (NOW.as_secs() + 900).to_string());
    let text = |value: &str| format!("\"{value}\"");
    let mut members: Vec<(&str, String)> = vec![
        ("iss", text(ISSUER)),
        ("sub", text("alice")),
        ("aud", text(AUDIENCE)),
        ("client_id", text("web")),
        ("iat", iat.clone()),
        ("exp", exp),
        ("jti", text("0198c0de-0000-7000-8000-00000000beef")),
        ("sid", text("0198c0de-0000-7000-8000-00000000abcd")),
        ("seq", "42".to_owned()),
        ("auth_time", iat),
    ];
    for _ in 0..*dice.one(&[0, 0, 0, 1, 1, 1, 2, 3]) {
        let (name, value) = match dice.below(4) {
            3 => (*dice.one(&NAMES), *dice.one(&VALUES)),
            _ => *dice.one(&NEAR),
        };
        // Beside the first one, every fourth time.
        if dice.below(4) != 3 {
            members.retain(|(member, _)| *member != name);
        }
        if !value.is_empty() {
            members.insert(dice.below(members.len() + 1), (name, value.to_owned()));
        }
        oddities.push("claim");
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let json = format!("{{{}}}", members.join(","));
    let odd: Option<Vec<u8>> = match dice.below(32) {
        24 => Some([b"\xef\xbb\xbf", json.as_bytes()].concat()),
        25 => Some([json.as_bytes(), b" "].concat()),
        26 => Some([json.as_bytes(), b"{}"].concat()),
        27 => Some([json.as_bytes(), b"\0"].concat()),
        28 => Some(format!("[{json}]").into_bytes()),
        29 => Some(json.replace("alice", "a\u{0}lice").into_bytes()),
        30 => Some([&json.as_bytes()[..9], b"\xff", &json.as_bytes()[9..]].concat()),
        31 => Some(json.as_bytes().split_last().map_or_else(Vec::new, |(_, front)| front.to_vec())),
        _ => None,
    };
    odd.map_or_else(
        || json.into_bytes(),
        |odd| {
            oddities.push("payload's bytes");
            odd
        },
    )
}

/// The same token in other letters, or nearly.
fn reencoded(dice: &mut Dice<'_>, text: String, oddities: &mut Vec<&'static str>) -> String {
    if dice.below(4) != 3 {
        return text;
    }
    oddities.push("encoding");
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else { return text };
    let at = dice.below(3);
    let with = |change: &dyn Fn(&str) -> String| {
        let parts = [header, payload, signature];
        let changed = |(n, part): (usize, &&str)| if n == at { change(part) } else { (*part).to_owned() };
        parts.iter().enumerate().map(changed).collect::<Vec<_>>().join(".")
    };
    match dice.below(14) {
        0 => with(&|part| format!("{part}=")),
        1 => with(&|part| part.replace('-', "+").replace('_', "/")),
        2 => with(&|part| format!("{part}\n")),
        3 => with(&|part| format!(" {part}")),
        4 => with(&|part| part[..part.len().saturating_sub(1)].to_owned()),
        5 => with(&|part| format!("{part}A")),
        6 => with(&next_last_letter),
        7 => with(&str::to_uppercase),
        8 => with(&|_| String::new()),
        9 => format!("{text}."),
        10 => format!("{header}.{payload}"),
        11 => format!("Bearer {text}"),
        12 => with(&|part| base64url(part)),
        _ => format!("{header}.{payload}.{}", other_signature(signature)),
    }
}

/// The last letter's successor: where that letter has bits that nothing needs, a lax reader sees no difference.
fn next_last_letter(part: &str) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let Some(last) = part.chars().last() else { return String::new() };
    let at = LETTERS.find(last).map_or(0, |at| (at + 1) % LETTERS.len());
    format!("{}{}", &part[..part.len() - last.len_utf8()], &LETTERS[at..=at])
}

/// A signature's bytes in another form: of 64 bytes as two numbers in DER, of others turned around.
fn other_signature(signature: &str) -> String {
    use base64::Engine;
    let Ok(bytes) = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature) else { return String::new() };
    match bytes.split_at_checked(32) {
        Some((r, s)) if s.len() == 32 => base64url([&[0x30, 68, 2, 32][..], r, &[2, 32], s].concat()),
        _ => base64url(bytes.into_iter().rev().collect::<Vec<_>>()),
    }
}
