//! The doctor's look at the clock. Revocation does not hang on it, expiry does.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rescind::time::{Clock, SystemClock, Timestamp};

use super::super::output::{span, time};
use super::Finding;

const PART: &str = "clock";
/// 2026-01-01: this software is younger than a clock that shows less.
const BIRTH: Timestamp = Timestamp::from_secs(1_767_225_600);
/// File times and clock may differ by this much without meaning anything.
const SLACK: Duration = Duration::from_secs(10);

/// Compares the clock with the past that the data directory knows.
pub(super) fn look(data: &Path) -> Vec<Finding> {
    vec![judge(SystemClock.wall(), newest(data))]
}

fn judge(now: Timestamp, written: Option<Timestamp>) -> Finding {
    let shown = time(now.as_secs());
    if now < BIRTH {
        return Finding::fail(
            PART,
            format!("the machine's clock says {shown}, which is long past"),
            "set the clock and keep it with NTP: tokens would be issued as expired",
        );
    }
    match written {
        Some(written) if written > now.plus(SLACK) => Finding::fail(
            PART,
            format!("{shown}: the data directory was written {} in the future", span(written.since(now).as_secs())),
            "the clock went back: set it and keep it with NTP. Revocations hold; expiry is late until then",
        ),
        _ => Finding::ok(PART, shown),
    }
}

/// When a file of the directory was last written.
fn newest(data: &Path) -> Option<Timestamp> {
    let entries = std::fs::read_dir(data).ok()?;
    let written = entries.flatten().filter_map(|entry| entry.metadata().ok()?.modified().ok());
    let since_epoch = written.max()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::EPOCH.plus(since_epoch))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_clock_that_went_back_is_found_by_the_files_it_wrote() {
        let now = BIRTH.plus(Duration::from_secs(1000));
        assert_eq!(judge(now, None).level, Level::Ok);
        assert_eq!(judge(now, Some(now.plus(SLACK))).level, Level::Ok);
        assert_eq!(judge(now, Some(now.plus(SLACK * 2))).level, Level::Fail);
        assert_eq!(judge(Timestamp::EPOCH, None).level, Level::Fail);
    }
}
