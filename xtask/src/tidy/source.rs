//! Rust text without what is not code, and the few shapes in it that rules ask for.
//!
//! A scanner of some hundred lines instead of a parser: it must only tell code from comments and literals and pair
//! braces, it keeps every offset, and it also reads files that do not compile yet.

/// The text with comments and the insides of literals blanked out. Offsets and line breaks stay.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(next) = rest.chars().next() {
        let opaque = opaque_length(rest, previous);
        let (taken, after) = rest.split_at(opaque.unwrap_or(next.len_utf8()));
        match opaque {
            // Bytes, not characters, so that offsets stay.
            Some(_) => code.extend(taken.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' })),
            None => code.push_str(taken),
        }
        previous = next;
        rest = after;
    }
    code
}

/// The length of the comment or literal that `rest` begins with.
fn opaque_length(rest: &str, previous: char) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted_length(rest, '"'));
    }
    if rest.starts_with('\'') {
        return character_length(rest);
    }
    if is_word(previous) { None } else { raw_string_length(rest) }
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal; `None` for a lifetime.
fn character_length(rest: &str) -> Option<usize> {
    let mut chars = rest.chars().skip(1);
    let (second, third) = (chars.next()?, chars.next()?);
    if second == '\\' {
        return Some(quoted_length(rest, '\''));
    }
    (third == '\'').then(|| second.len_utf8() + 2)
}

fn raw_string_length(rest: &str) -> Option<usize> {
    let start = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let body = start.trim_start_matches('#');
    let hashes = start.len() - body.len();
    let inside = body.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inside.find(&close).map_or(inside.len(), |at| at + close.len());
    Some(rest.len() - inside.len() + end)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words of `code` with their offsets.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    code.split(|c| !is_word(c)).filter_map(move |word| {
        let at = from;
        // Every separator that code has is found again by its own length.
        from += word.len() + code.get(at + word.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        (!word.is_empty()).then_some((at, word))
    })
}

/// The line of an offset, counted from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

/// Where the block ends whose `{` is the first one at or after `from`, or `None` where a `;` comes before it.
pub(crate) fn block_end(code: &str, from: usize) -> Option<usize> {
    let mut braces = 0_usize;
    let mut brackets = 0_usize;
    for (at, c) in code.get(from..)?.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(from + at);
                }
            }
            _ => {}
        }
    }
    None
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    /// Of its `fn`, counted from 1.
    pub(crate) line: usize,
    /// From its `fn` to its last brace, both included.
    pub(crate) lines: usize,
}

/// Every function with a body in `code`, inner ones too.
pub(crate) fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    let mut previous = "";
    for (at, word) in words(code) {
        if previous == "fn"
            && let Some(end) = block_end(code, at)
        {
            let line = line_of(code, at);
            found.push(Function { name: word, line, lines: line_of(code, end) - line + 1 });
        }
        previous = word;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_offsets_stay() {
        let text = "let a = \"sleep(\\\"1)\"; // sleep(2)\n/* sleep /* 3 */ */ let b = '\\''; let c = 'ä';";
        let code = code_only(text);
        assert!(!code.contains("sleep"));
        assert_eq!(code.len(), text.len());
        assert_eq!(code.find("let c"), text.find("let c"));
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        let code = code_only("a(r#\"one \" two\"#); b(br\"x\"); r#fn(); car\"s\";");
        assert!(!code.contains("two") && !code.contains('x'));
        assert!(code.contains("r#fn()"));
    }

    #[test]
    fn a_lifetime_is_not_a_character() {
        assert_eq!(code_only("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn functions_are_measured_from_their_keyword_to_their_last_brace() {
        let code = "trait T { fn declared(&self, x: [u8; 4]); }\nfn outer()\nwhere\n{\n    fn inner() {}\n}\n";
        let found = functions(code);
        let expected = [Function { name: "outer", line: 2, lines: 5 }, Function { name: "inner", line: 5, lines: 1 }];
        assert_eq!(found, expected);
    }

    #[test]
    fn words_know_their_offsets() {
        let found: Vec<_> = words("ab, c→_d").collect();
        assert_eq!(found, [(0, "ab"), (4, "c"), (8, "_d")]);
    }
}
