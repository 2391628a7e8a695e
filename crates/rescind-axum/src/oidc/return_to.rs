//! Where a browser goes after its sign-in: a path on this origin and nothing else (RFC 9700 §4.11: no open redirector).

/// Longest path that is kept in a cookie. **Units:** bytes.
const LENGTH_MAX: usize = 1024;

/// Whether a browser that is sent to `path` stays on this origin.
///
/// Browsers read `\` as `/`, drop tabs and line ends, and take `//` for another host: none of it passes.
pub(super) fn is_local(path: &str) -> bool {
    path.len() <= LENGTH_MAX
        && path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_on_this_origin_passes() {
        for good in ["/", "/home", "/a?b=c&d=https://x//y", "/a#b", "/a//b"] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "",
            "home",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " /home",
            "/a\r\nSet-Cookie: x",
            "/ä",
            "/\0",
            &format!("/{}", "x".repeat(1024)),
        ] {
            assert!(!is_local(bad), "{bad:?}");
        }
    }
}
