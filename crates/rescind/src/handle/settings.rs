//! What an operator may choose. Owns the defaults and their bounds.

use std::time::Duration;

use crate::view::STEP_TOLERANCE;

/// The largest leeway that may be configured.
pub const MOST_LEEWAY: Duration = Duration::from_mins(1);

/// Lifetimes, bounds and policies. [`Default`] is what the documentation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long an access token lives. Default 15 min.
    pub access_lifetime: Duration,
    /// An access token lives up to this much shorter, so that tokens of one moment are not renewed in one moment.
    /// **Units:** percent, 0 to 50. Default 5.
    pub access_jitter: u8,
    /// `exp - iat` above this is refused, at issue and at check. At least the access lifetime; the largest of any node
    /// that shares the store counts. Default: the access lifetime.
    pub max_access_lifetime: Duration,
    /// How long behind `exp` a token still passes. Default 0 s, at most 60 s.
    pub leeway: Duration,
    /// How far ahead `iat` and `nbf` may be, and by how much longer cut-offs are kept. Default 10 s, at most 60 s.
    pub skew: Duration,
    /// A session ends this long after its last refresh. Default 14 d.
    pub idle: Duration,
    /// A session ends this long after its opening. Default 30 d.
    pub absolute: Duration,
    /// How long after a rotation the token before it is still answered. Default 10 s.
    pub grace: Duration,
    /// The staleness bound B: a view that is older refuses to answer. Default 2 s.
    pub staleness_bound: Duration,
    /// What a stale view does. Default: refuse.
    pub on_stale: OnStale,
    /// The verified-token cache holds at most this much. **Units:** bytes. Default 32 MiB; 0 turns it off.
    pub cache_bytes: usize,
    /// Which kinds of tokens are checked against the log. Default: both.
    pub checks: Checks,
    /// A callback of the application's that takes longer has failed. Default 5 s.
    pub callback_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            access_lifetime: Duration::from_mins(15),
            access_jitter: 5,
            max_access_lifetime: Duration::from_mins(15),
            leeway: Duration::ZERO,
            skew: Duration::from_secs(10),
            idle: DAY * 14,
            absolute: DAY * 30,
            grace: Duration::from_secs(10),
            staleness_bound: Duration::from_secs(2),
            on_stale: OnStale::Refuse,
            cache_bytes: 32 << 20,
            checks: Checks::Both,
            callback_timeout: Duration::from_secs(5),
        }
    }
}

/// Which kinds of tokens are checked against the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checks {
    /// Access tokens against the view, refresh tokens against the store.
    #[default]
    Both,
    /// Refresh tokens alone: an access token lives until it expires, whatever is revoked.
    RefreshOnly,
}

impl Checks {
    /// Reads a list of kinds, as a configuration has it: of `"access"` and `"refresh"`, in any order.
    ///
    /// # Errors
    /// [`InvalidSetting`] where a kind is unknown, and where `"refresh"` is not among them.
    ///
    /// ```
    /// use rescind::Checks;
    ///
    /// assert_eq!(Checks::parse(["access", "refresh"]), Ok(Checks::Both));
    /// assert_eq!(Checks::parse(["refresh"]), Ok(Checks::RefreshOnly));
    /// assert!(Checks::parse(["access"]).is_err());
    /// ```
    pub fn parse<K: AsRef<str>>(kinds: impl IntoIterator<Item = K>) -> Result<Self, InvalidSetting> {
        let invalid = |problem| Err(InvalidSetting { setting: "checks", problem });
        let (mut access, mut refresh) = (false, false);
        for kind in kinds {
            match kind.as_ref() {
                "access" => access = true,
                "refresh" => refresh = true,
                _ => return invalid("the kinds are \"access\" and \"refresh\""),
            }
        }
        match (access, refresh) {
            (true, true) => Ok(Self::Both),
            (false, true) => Ok(Self::RefreshOnly),
            // A view forgets a cut-off on a session once no access token that it covers is left, since refresh asks the
            // store. A refresh that did not would mint new ones after that, for a session that was ended.
            (_, false) => invalid(
                "\"refresh\" must be among the kinds: a refresh token that is not checked brings ended sessions back, \
                 and their access tokens with them",
            ),
        }
    }

    /// The kinds that are checked, as [`parse`](Self::parse) reads them.
    pub const fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Both => &["access", "refresh"],
            Self::RefreshOnly => &["refresh"],
        }
    }
}

/// What a check does when the view is older than the staleness bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStale {
    /// Answer nothing: 503 and `Retry-After`.
    #[default]
    Refuse,
    /// Ask the store, and answer nothing where it cannot say.
    Ask,
    /// Answer from what is known while the view is no older than this; known revocations are still refused, and the
    /// answer says how stale it is.
    AllowFor(Duration),
}

/// A setting outside of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct InvalidSetting {
    /// The setting's name.
    pub setting: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: &'static str,
}

impl Settings {
    /// How long an access token that was issued at a moment can matter after it. A step of the wall clock that is too
    /// small to be noticed counts in.
    pub(crate) fn access_retention(&self, max_access_lifetime: Duration) -> Duration {
        [self.leeway, self.skew, STEP_TOLERANCE].into_iter().fold(max_access_lifetime, Duration::saturating_add)
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// [`InvalidSetting`] names the first one outside.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let second = Duration::from_secs(1);
        let rules = [
            (self.access_lifetime >= second, "access_lifetime", "must be at least 1 s"),
            (self.access_lifetime <= self.absolute, "access_lifetime", "must be at most the absolute session lifetime"),
            (self.access_jitter <= 50, "access_jitter", "must be 0 to 50 percent"),
            (
                self.max_access_lifetime >= self.access_lifetime,
                "max_access_lifetime",
                "must be at least access_lifetime",
            ),
            (
                self.max_access_lifetime <= self.absolute,
                "max_access_lifetime",
                "must be at most the absolute session lifetime",
            ),
            (self.leeway <= MOST_LEEWAY, "leeway", "must be at most 60 s"),
            (self.skew <= MOST_LEEWAY, "skew", "must be at most 60 s"),
            (self.idle >= second, "idle", "must be at least 1 s"),
            (self.absolute >= second, "absolute", "must be at least 1 s"),
            (self.absolute <= second * 366 * 24 * 3600, "absolute", "must be at most 366 days"),
            (self.grace <= second * 60, "grace", "must be at most 60 s: a longer one gives a thief time"),
            (self.staleness_bound >= Duration::from_millis(200), "staleness_bound", "must be at least 200 ms"),
            (self.staleness_bound <= second * 60, "staleness_bound", "must be at most 60 s"),
            (self.callback_timeout >= Duration::from_millis(10), "callback_timeout", "must be at least 10 ms"),
            (self.callback_timeout <= second * 60, "callback_timeout", "must be at most 60 s"),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, setting, problem)) => Err(InvalidSetting { setting, problem }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_checked_kinds_is_read_in_any_order() {
        for checks in [Checks::Both, Checks::RefreshOnly] {
            assert_eq!(Checks::parse(checks.kinds()), Ok(checks));
        }
        assert_eq!(Checks::parse(vec!["refresh".to_owned(), "access".to_owned()]), Ok(Checks::Both));
    }

    #[test]
    fn refresh_tokens_cannot_be_left_unchecked() {
        for kinds in [&["access"][..], &[], &["access", "access"]] {
            let error = Checks::parse(kinds).unwrap_err().to_string();
            assert!(error.starts_with("checks: ") && error.contains("\"refresh\" must be among"), "{error}");
        }
    }

    #[test]
    fn an_unknown_kind_is_refused_with_the_kinds_that_there_are() {
        for kind in ["Access", "refresh ", "session", ""] {
            let error = Checks::parse(["refresh", kind]).unwrap_err().to_string();
            assert!(error.contains("\"access\" and \"refresh\""), "{error}");
        }
    }
}
