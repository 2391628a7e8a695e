//! No test sleeps: the clock is a fake one, or the test waits for a condition with a deadline.

use std::ops::Range;

use super::finding::Finding;
use super::source::{block_end, code_only, line_of, words};
use super::tree::{SourceFile, Tree};

/// Calls that pass time without a condition.
const SLEEPS: [&str; 4] = ["sleep", "sleep_until", "park_timeout", "waitForTimeout"];

/// Tests that pass time without a condition.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in &tree.files {
        for at in sleeps_in_tests(file) {
            let line = line_of(&file.text, at);
            let remedy = "move a fake clock, or wait for a condition with a deadline";
            found.push(Finding::new("sleep", &file.path, line, "a test sleeps", remedy));
        }
    }
    found
}

fn sleeps_in_tests(file: &SourceFile) -> Vec<usize> {
    let script = [".js", ".mjs"].iter().any(|ending| file.path.ends_with(ending));
    if !file.is_rust() && !script {
        return Vec::new();
    }
    let code = if script { file.text.clone() } else { code_only(&file.text) };
    let whole = is_test_file(&file.path);
    let tests = if whole { Vec::new() } else { test_modules(&code) };
    words(&code)
        .filter(|(at, word)| {
            let called = code.get(at + word.len()..).is_some_and(|rest| rest.starts_with('('));
            called && SLEEPS.contains(word) && (whole || tests.iter().any(|test| test.contains(at)))
        })
        .map(|(at, _)| at)
        .collect()
}

/// Files that hold nothing but tests; the store contract's suite is one, though it is compiled into the library.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|folder| folder == "tests" || folder == "conformance")
}

/// Where modules under `#[cfg(test)]` stand.
fn test_modules(code: &str) -> Vec<Range<usize>> {
    code.match_indices("#[cfg(test)]")
        .filter_map(|(at, attribute)| Some(at..block_end(code, at + attribute.len())?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_sleep_is_found_in_tests_only() {
        let text = "//! x\nfn poll() { sleep(1) }\n#[cfg(test)]\nmod tests {\n    fn t() { sleep(2); }\n}\nfn after() { sleep(3) }\n";
        assert_eq!(lines("src/a.rs", text), [5]);
        assert_eq!(lines("tests/a.rs", text), [2, 5, 7]);
        assert_eq!(lines("src/store/conformance/races.rs", text), [2, 5, 7]);
    }

    #[test]
    fn talk_of_sleep_is_no_sleep() {
        assert_eq!(lines("tests/a.rs", "// sleep(1)\nlet sleep = \"sleep(2)\"; asleep(3);\n"), Vec::<usize>::new());
    }

    #[test]
    fn a_module_in_its_own_file_does_not_make_the_rest_a_test() {
        assert_eq!(lines("src/a.rs", "#[cfg(test)]\nmod tests;\nfn poll() { sleep(1) }\n"), Vec::<usize>::new());
    }

    #[test]
    fn scripts_in_tests_are_read_too() {
        assert_eq!(lines("tests/browser/a.test.mjs", "await page.waitForTimeout(100)\n"), [1]);
        // A timer that ends a hanging process is a deadline.
        assert_eq!(lines("tests/browser/server.mjs", "setTimeout(kill, 1000)\n"), Vec::<usize>::new());
    }
}
