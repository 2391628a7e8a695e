//! Recipes in place of bytes: `{token alg=none}` in a vector is a token when the case runs. Owns that small language;
//! what a case is allowed to know, its scene, makes its sessions when they are first named.
//!
//! | recipe | stands for |
//! |---|---|
//! | `{it}` | what the case puts into the request's hole |
//! | `{token WORDS \| CHANGES}` | a token with the claims of this case's session, signed here; see `forge.rs` and `mutate.rs` |
//! | `{access}`, `{refresh}`, `{session}`, `{cookies}` | those of this case's session; `{other.access}` and so on, of another user's |
//! | `{logout-token \| CHANGES}` | the sign-in provider's, another one each time |
//! | `{admin}`, `{feed}` | the admin token, the feed token |
//! | `{host}`, `{origin}`, `{port}`, `{kid NAME}`, `{jwk NAME}` | of the server, and of a key |
//! | `{form TEXT}`, `{b64 TEXT}`, `{basic TEXT}` | the text, form-encoded, in base64url, as HTTP Basic |
//! | `{repeat N TEXT}`, `{length TEXT}` | the text so many times; how many bytes it has |
//! | `{upper TEXT}`, `{lower TEXT}`, `{utf-16 TEXT}` | the text written so |
//! | `{changed N TEXT}`, `{short N TEXT}` | the text with its N-th character another, or without its last N |
//! | `{json TEXT}` | the text as it stands, backslashes and all |
//!
//! In a recipe a word that holds blanks or braces stands in backticks. Outside of them `\r`, `\n`, `\t`, `\\` and `\x41`
//! are bytes.

use std::cell::OnceCell;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::forge::Draft;
use crate::mutate;
use crate::rig::Rig;
use crate::support::Pair;

/// What one request of a case knows.
pub(crate) struct Scene<'a> {
    rig: &'a Rig,
    it: &'a str,
    own: OnceCell<Pair>,
    other: OnceCell<Pair>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(rig: &'a Rig, it: &'a str) -> Self {
        Self { rig, it, own: OnceCell::new(), other: OnceCell::new() }
    }

    /// This case's session.
    pub(crate) fn own(&self) -> &Pair {
        self.own.get_or_init(|| self.rig.open("alice"))
    }

    fn other(&self) -> &Pair {
        self.other.get_or_init(|| self.rig.open("bob"))
    }

    /// The text with its recipes carried out.
    pub(crate) fn bytes(&self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match first {
                '{' => {
                    let end = closing(rest).unwrap_or_else(|| panic!("{text}: a brace is not closed"));
                    bytes.extend(self.recipe(&rest[1..end]));
                    rest = &rest[end + 1..];
                }
                '\\' => {
                    let (byte, length) = escaped(rest);
                    bytes.push(byte);
                    rest = &rest[length..];
                }
                _ => {
                    bytes.extend(first.to_string().as_bytes());
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        bytes
    }

    /// The same where it is a text.
    pub(crate) fn text(&self, text: &str) -> String {
        String::from_utf8(self.bytes(text)).unwrap()
    }

    fn recipe(&self, recipe: &str) -> Vec<u8> {
        let (name, rest) = recipe.split_once(' ').unwrap_or((recipe, ""));
        let server = &self.rig.server;
        let text = match name {
            "it" => return self.bytes(self.it),
            "token" => return self.token(rest),
            "logout-token" => {
                let (_, changes) = words(rest);
                return changed(self.rig.logout_token(), &changes);
            }
            "repeat" => {
                let (count, what) = rest.split_once(' ').unwrap();
                return self.bytes(what).repeat(count.parse().unwrap());
            }
            "access" => self.own().access.clone(),
            "refresh" => self.own().refresh.clone(),
            "session" => self.own().session.clone(),
            "cookies" => cookies(self.own()),
            "other.access" => self.other().access.clone(),
            "other.refresh" => self.other().refresh.clone(),
            "other.session" => self.other().session.clone(),
            "other.cookies" => cookies(self.other()),
            "admin" => self.rig.admin_token.clone(),
            "feed" => self.rig.feed_token(),
            "host" => server.public.to_string(),
            "port" => server.public.port().to_string(),
            "origin" => format!("http://{}", server.public),
            "kid" => self.rig.keys.named(rest).id().as_str().to_owned(),
            "jwk" => self.rig.keys.jwk(rest).to_string(),
            "form" => percent_encoded(&self.bytes(rest)),
            "b64" => URL_SAFE_NO_PAD.encode(self.bytes(rest)),
            "basic" => format!("Basic {}", STANDARD.encode(self.bytes(rest))),
            "json" => rest.to_owned(),
            "upper" => self.text(rest).to_uppercase(),
            "lower" => self.text(rest).to_lowercase(),
            "utf-16" => return self.text(rest).encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "changed" | "short" => return self.altered(name, rest),
            "length" => self.bytes(rest).len().to_string(),
            _ => panic!("no recipe {recipe}"),
        };
        text.into_bytes()
    }

    /// A text with one character changed, or some missing.
    fn altered(&self, how: &str, rest: &str) -> Vec<u8> {
        let (number, what) = rest.split_once(' ').unwrap();
        let (number, mut text): (usize, _) = (number.parse().unwrap(), self.bytes(what));
        if how == "short" {
            text.truncate(text.len() - number);
        } else {
            text[number] = if text[number] == b'A' { b'B' } else { b'A' };
        }
        text
    }

    fn token(&self, recipe: &str) -> Vec<u8> {
        let (words, changes) = words(recipe);
        let mut draft = Draft::of(&self.rig.keys, &self.own().access);
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("{word:?} of a token says nothing"));
            match value.strip_prefix('`').and_then(|value| value.strip_suffix('`')) {
                Some(literal) => draft.set(name, literal),
                None => draft.set(name, &self.text(value)),
            }
        }
        changed(draft.text(), &changes)
    }
}

/// Every byte as `%` and two digits.
pub(crate) fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02X}");
        text
    })
}

fn changed(token: String, changes: &[String]) -> Vec<u8> {
    changes.iter().fold(token.into_bytes(), |token, change| mutate::apply(&token, change))
}

fn cookies(pair: &Pair) -> String {
    format!("__Host-rescind_access={}; __Host-rescind_refresh={}", pair.access, pair.refresh)
}

/// Where the brace that opens `text` is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut quoted = false;
    for (at, sign) in text.char_indices() {
        match sign {
            '`' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The words of a token's recipe, and the changes behind its bars.
fn words(recipe: &str) -> (Vec<String>, Vec<String>) {
    let mut lists = vec![vec![String::new()]];
    let (mut depth, mut quoted) = (0, false);
    for sign in recipe.chars() {
        match sign {
            '`' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth -= 1,
            _ => {}
        }
        let free = depth == 0 && !quoted;
        match (sign, lists.last_mut()) {
            ('|', _) if free => lists.push(vec![String::new()]),
            (' ', Some(list)) if free => list.push(String::new()),
            (_, Some(list)) => list.last_mut().unwrap().push(sign),
            (_, None) => {}
        }
    }
    let mut lists = lists.into_iter().map(|list| list.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>());
    let words = lists.next().unwrap_or_default();
    (words, lists.flatten().collect())
}

/// The byte of an escape, and how long the escape is.
fn escaped(text: &str) -> (u8, usize) {
    match text.as_bytes() {
        [_, b'r', ..] => (b'\r', 2),
        [_, b'n', ..] => (b'\n', 2),
        [_, b't', ..] => (b'\t', 2),
        [_, b'\\', ..] => (b'\\', 2),
        [_, b'x', ..] => (u8::from_str_radix(&text[2..4], 16).unwrap(), 4),
        _ => panic!("{text}: no such escape"),
    }
}
