//! Why a token is refused, in a sentence for an operator. Owns the wording; decides nothing.

use crate::log::Entry;
use crate::rejection::Rejection;

/// The verdict in a sentence.
pub(super) fn explain(refused: Option<Rejection>, fault: Option<&str>, cut_off: Option<&Entry>) -> String {
    if let Some(fault) = fault {
        return format!("Nothing can be said about this token now: {fault}.");
    }
    match (refused, cut_off) {
        (None, _) => "It would be accepted now.".to_owned(),
        (Some(_), Some(entry)) => {
            let Entry { seq, at, scope, reason, actor, .. } = entry;
            format!(
                "Refused: a cut-off on {scope} covers it. It is entry {seq} of the log, made at {} (seconds since \
                 1970) by {actor}, reason {reason}.",
                at.as_secs()
            )
        }
        (Some(rejection), None) => format!("Refused: {}.", sentence(rejection)),
    }
}

fn sentence(rejection: Rejection) -> String {
    let fixed = match rejection {
        Rejection::MissingClaim(claim) => return format!("the claim {} is missing", claim.name()),
        Rejection::BadClaim(claim) => {
            return format!("the claim {} has the wrong type or is out of range", claim.name());
        }
        Rejection::Revoked(kind) => return format!("a cut-off on its scope {kind} covers it"),
        Rejection::Missing => "no token was given",
        Rejection::TooLong => "it is longer than 16 KiB",
        Rejection::WrongPartCount => "a JWT has exactly three parts with a dot between two; this has not",
        Rejection::BadEncoding => "a part is not strict base64url: padding, a blank, or a stray character or bit",
        Rejection::BadJson => "header or claims are not a JSON object in UTF-8",
        Rejection::DuplicateMember => "a JSON object in it names a member twice",
        Rejection::NotAccessToken => "it is not an access token: its typ is not at+jwt",
        Rejection::NotRefreshToken => "it is not a refresh token of ours",
        Rejection::ForbiddenHeader => "its header brings its own key, or demands an extension with crit",
        Rejection::WrongAlgorithm => "its alg is not the one that its key is bound to",
        Rejection::UnknownKey => {
            "its kid names no key of this issuer; it may be of another issuer, or its key is long gone"
        }
        Rejection::KeyRevoked => "the key that signed it was revoked",
        Rejection::BadSignature => "its signature is wrong: it was altered, or another key signed it",
        Rejection::WrongIssuer => "it was issued by another issuer",
        Rejection::WrongAudience => "it is for another audience",
        Rejection::Expired => "it has expired",
        Rejection::NotYetValid => "its nbf has not come yet",
        Rejection::IssuedInFuture => "its iat lies ahead by more than the allowed skew; compare the clocks",
        Rejection::LifetimeTooLong => "its exp is further from its iat than the configured maximum",
        Rejection::AlsoCheck => "the application's own check refused it",
        Rejection::BadMac => "its MAC is wrong: it was altered, or made under another root secret or issuer",
        Rejection::SessionUnknown => "its session is not in the store: it ended long ago and was swept, or never was",
        Rejection::SessionIdle => "its session was not used for longer than the idle lifetime",
        Rejection::SessionExpired => "its session has reached its absolute lifetime",
        Rejection::Reused => "it was spent: a newer one took its place. Presented now, it would end the session",
        Rejection::WrongClient => "it was issued to another client",
        Rejection::ScopeExceeded => "more scope was asked than the session has",
        Rejection::SubjectUnwelcome => "its subject may not sign in any more",
        Rejection::InsufficientScope => "it lacks a scope that the route requires",
        Rejection::NotFresh => "the sign-in behind it is older than the route allows",
    };
    fixed.to_owned()
}
