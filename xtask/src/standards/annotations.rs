//! Which lines a test holds, as it says itself: `// holds: 12, 60 (not-before), R6` right above it. Between comment and
//! test may stand more comments and attributes, and no empty line. Rust, JavaScript and Python are read alike.

use crate::tidy::tree::{SourceFile, Tree};

/// One line that one test holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    pub(crate) path: String,
    /// Where the comment stands.
    pub(crate) at: usize,
    pub(crate) test: String,
    /// What the number begins with.
    pub(crate) prefix: String,
    pub(crate) number: u32,
    /// What stands in parentheses behind the number.
    pub(crate) detail: String,
}

/// A comment that says nothing: its file and line, and what is wrong.
pub(crate) type Fault = (String, usize, &'static str);

/// The comment's opening, put together here so that this file holds none.
const MARK: &str = concat!("hold", "s:");
/// So far below its comment a test begins, at most.
const REACH: usize = 16;

/// All annotations of the tree, and those that cannot be read.
pub(crate) fn read(tree: &Tree) -> (Vec<Annotation>, Vec<Fault>) {
    let (mut annotations, mut faults) = (Vec::new(), Vec::new());
    for file in tree.files.iter().filter(|file| is_test_language(file)) {
        for (at, text) in file.numbered() {
            let Some(said) = said(text) else { continue };
            let mut fault = |what| faults.push((file.path.clone(), at, what));
            let Some(test) = test_below(file, at) else {
                fault("no test begins below this comment");
                continue;
            };
            match numbers(said) {
                Some(numbers) => annotations.extend(numbers.into_iter().map(|(prefix, number, detail)| Annotation {
                    path: file.path.clone(),
                    at,
                    test: test.clone(),
                    prefix,
                    number,
                    detail,
                })),
                None => fault("this is no list of lines, such as `12, 60 (not-before), R6`"),
            }
        }
    }
    (annotations, faults)
}

/// The tool's own tests show annotations, and hold nothing.
fn is_test_language(file: &SourceFile) -> bool {
    ["rs", "mjs", "py"].contains(&language(&file.path)) && !file.path.starts_with("xtask/")
}

fn language(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

fn said(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let comment = text.strip_prefix("// ").or_else(|| text.strip_prefix("# "))?;
    comment.strip_prefix(MARK)
}

/// The name of the test below the comment. In Rust an attribute makes it one, but for the cases of the stores' suite, which
/// runs them by its own list.
fn test_below(file: &SourceFile, at: usize) -> Option<String> {
    let mut is_test = language(&file.path) != "rs" || file.path.contains("store/conformance/");
    let below = file.text.lines().skip(at).take(REACH).take_while(|text| !text.trim().is_empty());
    for text in below.map(str::trim_start) {
        is_test |= is_test_attribute(text);
        if let Some(name) = name_of(text, &file.path) {
            return is_test.then_some(name);
        }
    }
    None
}

/// `#[test]`, `#[tokio::test(…)]`.
fn is_test_attribute(text: &str) -> bool {
    let path = text.strip_prefix("#[").and_then(|inside| inside.split(['(', ']']).next());
    path.is_some_and(|path| path.rsplit("::").next() == Some("test"))
}

fn name_of(text: &str, path: &str) -> Option<String> {
    let language = language(path);
    if language == "mjs" {
        let rest = text.strip_prefix("test(")?;
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'))?;
        return rest.get(1..)?.split_once(quote).map(|(name, _)| name.to_owned());
    }
    let keyword = if language == "py" { "def " } else { "fn " };
    let before =
        |text: &str| text.split_whitespace().all(|word| word.starts_with("pub") || word == "async" || word == "const");
    let (front, rest) = text.split_once(keyword)?;
    let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
    (before(front) && !name.is_empty()).then(|| name.to_owned())
}

/// `12, 60 (not-before), R6` as prefix, number and detail of each.
fn numbers(mut text: &str) -> Option<Vec<(String, u32, String)>> {
    let mut numbers = Vec::new();
    loop {
        text = text.trim_start();
        let digits = text.find(|c: char| c.is_ascii_digit())?;
        let (prefix, rest) = text.split_at(digits);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, rest) = rest.split_at(end);
        let (detail, rest) = match rest.strip_prefix(" (") {
            Some(inside) => inside.split_once(')')?,
            None => ("", rest),
        };
        if !prefix.chars().all(|c| c.is_ascii_uppercase()) {
            return None;
        }
        numbers.push((prefix.to_owned(), number.parse().ok()?, detail.to_owned()));
        match rest.strip_prefix(',') {
            Some(more) => text = more,
            None => return rest.trim().is_empty().then_some(numbers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let (annotations, faults) = read(&Tree::of(&[(path, text)]));
        let said = annotations.iter().map(|it| format!("{}{} {} {}", it.prefix, it.number, it.test, it.detail));
        said.chain(faults.iter().map(|(_, at, what)| format!("{at}: {what}"))).collect()
    }

    #[test]
    fn the_three_languages_are_read_alike() {
        let rust = "// holds: 1, R2 (a, b)\n/// More.\n#[tokio::test]\nasync fn it_holds() {}\n";
        assert_eq!(found("a/tests/x.rs", rust), ["1 it_holds ", "R2 it_holds a, b"]);
        assert_eq!(found("a/x.mjs", "// holds: 3\ntest(\"a page holds\", async () => {\n"), ["3 a page holds "]);
        assert_eq!(found("a/x.py", "# holds: 4\n@mark\ndef test_it():\n"), ["4 test_it "]);
    }

    #[test]
    fn a_comment_without_a_test_or_a_number_is_found() {
        assert_eq!(
            found("x.rs", "// holds: 1\n\n#[test]\nfn it_holds() {}\n"),
            ["1: no test begins below this comment"]
        );
        for wrong in ["1 and 2", "", "a1", "1,", "1 (x"] {
            let text = format!("// holds: {wrong}\n#[test]\nfn it_holds() {{}}\n");
            assert_eq!(found("x.rs", &text).len(), 1, "{wrong}");
            assert!(found("x.rs", &text)[0].contains("no list"), "{wrong}");
        }
    }

    #[test]
    fn a_function_of_rust_is_a_test_by_its_attribute() {
        let none = ["1: no test begins below this comment"];
        for before in ["", "#[cfg(test)]\n", "#[expect(test)]\n", "/// #[test]\n"] {
            assert_eq!(found("x.rs", &format!("// holds: 1\n{before}fn helper() {{}}\n")), none, "{before}");
        }
        assert_eq!(found("x.rs", "// holds: 1\nfn helper() {\n#[test]\nfn other() {}\n"), none);
        let case = "// holds: 1\npub(super) async fn a_case(stage: Stage) {}\n";
        assert_eq!(found("a/store/conformance/x.rs", case), ["1 a_case "]);
        let attributed = "// holds: 1\n#[tokio::test(start_paused = true)]\nasync fn it() {}\n";
        assert_eq!(found("x.rs", attributed), ["1 it "]);
    }
}
