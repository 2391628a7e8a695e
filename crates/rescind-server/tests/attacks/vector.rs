//! The vectors' text: one file a family, one block a case, `field: value` a line. Owns the grammar, and refuses whatever it
//! does not know; runs nothing.
//!
//! The first block says what holds for the whole file, and any case may say it otherwise. A request is written once, with
//! a hole `{it}` in it: `attack:` fills it, and so does `twin:`, which is the same without the attack and must pass. `each:`
//! and `by:` make one case of each of their values, which stand apart by ` | `; a bar without the blanks is a recipe's.
//!
//! | field | says |
//! |---|---|
//! | `family`, `server` | the file's name, and the server that it needs; first block only |
//! | `name`, `source` | what is tried, and who asks for its refusal: a paragraph, a CVE, a row of docs/incidents.md |
//! | `listener` | `public` (unless said otherwise) or `admin` |
//! | `request`, `header`, `body` | the request; its length and `Host` are added, a header without a value is left out |
//! | `raw` | all bytes that are sent, in place of these |
//! | `attack`, `twin` | what stands in the hole |
//! | `before` | what is done first, in the attack alone |
//! | `expect`, `twin-expect` | status, `error` of the body and reason in the log; `-` where it is not looked at |
//! | `answers`, `twin-answers` | the status of every answer until the server closes |
//! | `has`, `twin-has`, `lacks` | what the answer, head and body, holds and does not hold |
//! | `log`, `quiet` | what the log holds afterwards, and what it must not hold |
//! | `after` | a status, and the token with which `GET /me` has it after the attack |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Fields of which there is at most one in a block.
const ONCE: [&str; 16] = [
    "name",
    "source",
    "listener",
    "request",
    "raw",
    "body",
    "attack",
    "twin",
    "expect",
    "twin-expect",
    "answers",
    "twin-answers",
    "each",
    "by",
    "family",
    "server",
];
/// Fields of which there may be several; those of the first block count besides.
const MANY: [&str; 8] = ["header", "before", "after", "has", "twin-has", "lacks", "log", "quiet"];

/// A file.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) server: String,
    pub(crate) cases: Vec<Case>,
}

/// A case, with what the file says for all of them.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) attack: String,
    pub(crate) twin: String,
    pub(crate) expect: Expect,
    pub(crate) twin_expect: Expect,
    pub(crate) answers: Vec<u16>,
    pub(crate) twin_answers: Vec<u16>,
    fields: Block,
}

/// What an answer must be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expect {
    pub(crate) status: u16,
    pub(crate) error: Option<String>,
    pub(crate) reason: Option<String>,
}

type Block = BTreeMap<String, Vec<String>>;

/// Every family there is, by name.
pub(crate) fn families() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks/cases")
}

impl Family {
    /// Reads the file of this name.
    pub(crate) fn load(name: &str) -> Self {
        let path = folder().join(format!("{name}.txt"));
        let family = Self::parse(&std::fs::read_to_string(&path).unwrap());
        let family = family.unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        assert_eq!(family.name, name, "the file is named as its family");
        family
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut blocks = blocks(text)?;
        if blocks.is_empty() {
            return Err("no block".to_owned());
        }
        let mut head = blocks.remove(0);
        let mut taken = |name: &str| head.remove(name).and_then(|mut it| it.pop()).ok_or(format!("no {name}"));
        let (name, server) = (taken("family")?, taken("server")?);
        let mut cases: Vec<Case> = Vec::new();
        for block in blocks.iter().flat_map(spread) {
            let case = Case::of(&head, &block)?;
            if cases.iter().any(|other| other.name == case.name) {
                return Err(format!("{} is there twice", case.name));
            }
            cases.push(case);
        }
        Ok(Self { name, server, cases })
    }
}

impl Case {
    fn of(head: &Block, block: &Block) -> Result<Self, String> {
        let mut fields = head.clone();
        for (name, values) in block {
            if MANY.contains(&name.as_str()) {
                fields.entry(name.clone()).or_default().extend(values.iter().cloned());
            } else {
                fields.insert(name.clone(), values.clone());
            }
        }
        // Whichever the case says itself.
        for (said, other) in [("raw", "request"), ("request", "raw")] {
            if block.contains_key(said) {
                fields.remove(other);
            }
        }
        let name = block.get("name").ok_or("a case without a name")?.concat();
        let one = |field: &str| fields.get(field).and_then(|values| values.first()).cloned();
        let asked = |field: &str| one(field).ok_or(format!("{name}: no {field}"));
        let expect = |field: &str| one(field).map(|text| Expect::parse(&text)).transpose();
        let list = |field: &str| one(field).map_or(Ok(Vec::new()), |text| statuses(&text));
        let case = Self {
            source: asked("source")?,
            attack: asked("attack")?,
            twin: asked("twin")?,
            expect: expect("expect")?.ok_or(format!("{name}: no expect"))?,
            twin_expect: expect("twin-expect")?.unwrap_or(Expect { status: 200, ..Expect::default() }),
            answers: list("answers")?,
            twin_answers: list("twin-answers")?,
            name,
            fields,
        };
        let holes = ["request", "header", "body", "raw"].iter().flat_map(|field| case.all(field));
        let holes = holes.filter(|text| text.contains("{it}")).count();
        let acts = case.all("before").next().is_some();
        if holes == 0 && !acts {
            return Err(format!("{}: the attack stands nowhere in the request", case.name));
        }
        if !(200..400).contains(&case.twin_expect.status) {
            return Err(format!("{}: a twin that is refused proves nothing", case.name));
        }
        if case.attack == case.twin && !acts {
            return Err(format!("{}: its twin is the attack itself", case.name));
        }
        Ok(case)
    }

    /// The values of a field, in order.
    pub(crate) fn all<'a>(&'a self, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields.get(field).into_iter().flatten().map(String::as_str)
    }

    /// The value of a field.
    pub(crate) fn one(&self, field: &str) -> Option<&str> {
        self.all(field).next()
    }
}

impl Expect {
    fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split(' ');
        let mut next = || words.next().filter(|word| *word != "-").map(str::to_owned);
        let status = next().and_then(|word| word.parse().ok()).ok_or(format!("{text:?} begins with no status"))?;
        let expect = Self { status, error: next(), reason: next() };
        if words.next().is_some() { Err(format!("{text:?} has more than three words")) } else { Ok(expect) }
    }
}

fn statuses(text: &str) -> Result<Vec<u16>, String> {
    text.split(' ').map(|word| word.parse().map_err(|_| format!("{word:?} is no status"))).collect()
}

/// The blocks of a file, which blank lines part. A line that begins with `#` is a comment.
fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = vec![Block::new()];
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let at = |problem: &str| format!("line {}: {problem}: {line}", number + 1);
        if line.is_empty() {
            blocks.push(Block::new());
            continue;
        }
        let (field, value) = line.split_once(':').ok_or_else(|| at("no field"))?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        let values = blocks.last_mut().map(|block| block.entry(field.to_owned()).or_default());
        let values = values.ok_or_else(|| at("no block"))?;
        match (ONCE.contains(&field), MANY.contains(&field)) {
            (false, false) => return Err(at("no such field")),
            (true, _) if !values.is_empty() => return Err(at("the field is there twice")),
            _ => values.push(value.to_owned()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    Ok(blocks)
}

/// One block of each value of `each` with each of `by`.
fn spread(block: &Block) -> Vec<Block> {
    let mut spread = vec![block.clone()];
    for field in ["each", "by"] {
        let Some(values) = block.get(field) else { continue };
        let values = values.concat();
        let one = |block: &Block, value: &str| {
            let filled = |text: &String| text.replace(&format!("{{{field}}}"), value);
            let rest = block.iter().filter(|(name, _)| name.as_str() != field);
            rest.map(|(name, texts)| (name.clone(), texts.iter().map(filled).collect())).collect()
        };
        spread = spread.iter().flat_map(|block| values.split(" | ").map(|value| one(block, value))).collect();
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "family: x\nserver: plain\nrequest: GET /me\nheader: authorization: Bearer {it}\n\n";
    const CASE: &str = "name: n {each}\nsource: R1\nattack: {each}\ntwin: t\nexpect: 401 invalid_token\neach: a | b\n";

    #[test]
    fn a_case_is_made_of_each_value() {
        let family = Family::parse(&format!("{HEAD}# a comment\n{CASE}")).unwrap();
        let names: Vec<_> = family.cases.iter().map(|case| (case.name.as_str(), case.attack.as_str())).collect();
        assert_eq!(names, [("n a", "a"), ("n b", "b")]);
    }

    #[test]
    fn whatever_the_grammar_does_not_know_is_refused() {
        for (wrong, problem) in [
            (format!("{HEAD}{CASE}expected: 401\n"), "no such field"),
            (format!("{HEAD}{CASE}expect: 403\n"), "twice"),
            (format!("{HEAD}{CASE}nothing\n"), "no field"),
            (format!("{HEAD}{}", CASE.replace("401", "no")), "no status"),
            (format!("{HEAD}{}", CASE.replace("invalid_token", "a b c")), "three words"),
            (format!("{HEAD}{}", CASE.replace("twin: t\n", "")), "no twin"),
            (format!("{HEAD}{}", CASE.replace("{each}\ntwin: t", "t\ntwin: t")), "attack itself"),
            (format!("{}{CASE}", HEAD.replace("{it}", "")), "nowhere"),
            (format!("{HEAD}{CASE}twin-expect: 401\n"), "proves nothing"),
            (format!("{HEAD}{CASE}\n{CASE}"), "is there twice"),
        ] {
            let found = Family::parse(&wrong).unwrap_err();
            assert!(found.contains(problem), "{problem}: {found}");
        }
    }
}
