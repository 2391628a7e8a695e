//! The parts of `docs/performance.md`: what one process does, many nodes on one store, and what a person wrote about the
//! figures. Owns where each begins; a run writes its own part and leaves the others as they are.

/// What one run measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// One process.
    Main,
    /// Many nodes on one store.
    Nodes,
}

/// The heading of the part on many nodes.
pub(super) const NODES: &str = "## Many nodes";

/// The heading from which on the page is written by hand.
const WORDS: &str = "## Where a goal is missed";

/// The page with one part anew.
pub(super) fn with(page: &str, part: Part, text: &str) -> String {
    let (figures, words) = page.split_at(page.find(WORDS).unwrap_or(page.len()));
    let (main, nodes) = figures.split_at(figures.find(NODES).unwrap_or(figures.len()));
    let (main, nodes) = match part {
        Part::Main => (text, nodes),
        Part::Nodes => (main, text),
    };
    let parts = [main, nodes, words].map(str::trim_end);
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_leaves_what_it_did_not_measure() {
        let main = with("", Part::Main, "# Performance\n\nfast\n");
        let words = format!("{main}\n{WORDS}\n\n- so be it\n");
        let both = with(&words, Part::Nodes, "## Many nodes\n\nfar\n");
        let page = format!("# Performance\n\nfast\n\n## Many nodes\n\nfar\n\n{WORDS}\n\n- so be it\n");
        assert_eq!(both, page);
        assert_eq!(with(&both, Part::Main, "# Performance\n\nfast\n"), page);
        assert_eq!(with(&both, Part::Nodes, "## Many nodes\n\nnear\n"), page.replace("far", "near"));
    }
}
