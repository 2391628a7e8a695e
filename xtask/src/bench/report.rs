//! Figures and the page that shows them. Owns the shape of the tables in `docs/performance.md`.

use std::fmt::Write;

use super::page::{NODES, Part};
use super::{goals, machine};

/// One figure of a benchmark.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

impl Figure {
    pub(super) fn new(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { name: name.into(), value, unit: unit.to_owned() }
    }

    /// With three significant digits or whole, and a larger unit where there is one.
    fn text(&self) -> String {
        let scaled = |value: f64, unit: &str| {
            let digits = if value >= 100.0 {
                0
            } else if value >= 10.0 {
                1
            } else {
                2
            };
            format!("{value:.digits$} {unit}")
        };
        match (self.unit.as_str(), self.value) {
            ("ns", value) if value >= 1e6 => scaled(value / 1e6, "ms"),
            ("ns", value) if value >= 1e4 => scaled(value / 1e3, "µs"),
            ("/s", value) => format!("{value:.0} /s"),
            ("", value) => format!("{value:.0}"),
            (unit, value) => scaled(value, unit),
        }
    }
}

/// Everything that was measured in one run.
#[derive(Debug, Default)]
pub(super) struct Report {
    sections: Vec<(&'static str, Vec<Figure>)>,
}

impl Report {
    pub(super) fn section(&mut self, about: &'static str, figures: Vec<Figure>) {
        self.sections.push((about, figures));
    }

    /// The figure of this name, wherever it stands.
    pub(super) fn value(&self, name: &str) -> Option<f64> {
        let mut figures = self.sections.iter().flat_map(|(_, figures)| figures);
        figures.find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// The part of the page, in Markdown.
    pub(super) fn text(&self, part: Part) -> String {
        let (mut text, level) = match part {
            Part::Main => {
                let by = "Printed by `cargo xtask bench`; every figure is of that one run. ";
                (format!("# Performance\n\n{by}"), "##")
            }
            Part::Nodes => {
                let by = "Printed by `cargo xtask bench --nodes`: the nodes, the store and who measures share this machine. ";
                (format!("{NODES}\n\n{by}"), "###")
            }
        };
        text.push_str("Machines differ and are noisy: believe the ratios more than the figures.\n\n");
        text.push_str(&machine::describe());
        // Writing to a string does not fail.
        let _ = write!(text, "\n{level} Goals");
        text.push_str("\n\n| goal | at most / at least | measured | |\n|---|---:|---:|---|\n");
        for goal in goals::held_against(self) {
            let (sign, verdict) =
                (if goal.at_most { "≤" } else { "≥" }, if goal.is_met() { "met" } else { "**missed**" });
            let (limit, measured) = (goal.limit_text(), goal.measured_text());
            let _ = writeln!(text, "| {} | {sign} {limit} | {measured} | {verdict} |", goal.what);
        }
        for (about, figures) in &self.sections {
            let _ = write!(text, "\n{level} {about}\n\n| | |\n|---|---:|\n");
            for figure in figures {
                let _ = writeln!(text, "| {} | {} |", figure.name, figure.text());
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_shown_in_a_unit_that_a_reader_can_hold() {
        assert_eq!(Figure::new("", 12.34, "ns").text(), "12.3 ns");
        assert_eq!(Figure::new("", 25_300.0, "ns").text(), "25.3 µs");
        assert_eq!(Figure::new("", 2_500_000.0, "ns").text(), "2.50 ms");
        assert_eq!(Figure::new("", 21_999.6, "/s").text(), "22000 /s");
    }
}
