//! Attacks of the past, and how the design rules each of them out.
//!
//! Every fault below was in software that many people use. Where a test can hold it off, there is one; the project's
//! `docs/incidents.md` names it.
//!
//! # Reading tokens
//! **A key of the attacker's choice** (CVE-2018-0114, CVE-2026-27962): the verifier used a `jwk` out of the token's own
//! header. Here a header that brings a key or a link to one is refused ([`Rejection::ForbiddenHeader`]), and a key is
//! only ever found in a fixed ring.
//!
//! **A public key as HMAC secret** (CVE-2026-48526, CVE-2023-48223), **and `none`** in some spelling (CVE-2022-23540):
//! the header chose the algorithm. Here each key is bound to one [`Algorithm`](crate::keys::Algorithm) by its type; the
//! header can only agree or be refused. There is no `none`.
//!
//! **`kid` as SQL, path or command.** A `kid` is a name to be compared with the ring's, and nothing else.
//!
//! **Claims of the wrong type passed unchecked** (CVE-2026-25537), and a check that an unset option switched off. Every
//! registered claim is read into its type or refused by name ([`Rejection::BadClaim`]); issuer, audience and lifetime
//! have no default. Members that occur twice are refused.
//!
//! **Forged, and reported as expired** (CVE-2024-51744): callers forgave "expired" and so let a forged token in. Here
//! the signature comes first, in the types: there are no claims before [`Verified`](crate::access_token::Verified), and
//! no `exp` is looked at before.
//!
//! **Zeros for a signature** (CVE-2022-21449), malleable or oddly encoded ones: the primitives are AWS-LC's, and
//! Wycheproof's vectors run against them as they are used here.
//!
//! **Tokens of megabytes, or of dots** (CVE-2025-61920, CVE-2025-30204): above 16 KiB nothing is decoded. There is no
//! JWE, so none of its inflation and key-stretching either.
//!
//! **One kind of token for another**: an ID token, or the refresh token, as access token. Ours are `at+jwt`, and
//! nothing else is taken for one; refresh tokens are no JWTs.
//!
//! # Revoking
//! **A list of token texts, got around by encoding a token anew.** What is revoked are names out of verified claims:
//! `jti`, `sid`, `sub`, `client_id`, `kid`. Another spelling of a token has the same names, if it is read at all.
//!
//! **A cache of verified tokens that kept a revoked one alive for minutes, or mixed two up.** The cache here is found
//! by the whole text, and skips the signature alone: time, key and log are asked at every hit.
//!
//! **An entry dropped at `exp`, and the token accepted until `exp` and leeway; an entry whose expiry took others with
//! it.** What is remembered is remembered to `exp`, leeway and skew on the store's clock, each entry for itself, and a
//! later cut-off never shortens an earlier one.
//!
//! **The second of the revocation**: revoked and signed in again at once, compared by whole seconds, either the new
//! token was dead or the old one alive. Positions in the log are compared, and no clock.
//!
//! **A sign-in or a refresh that raced the revocation and survived it.** A session's position is read in the
//! transaction that writes its row, so a later cut-off covers it whichever was quicker; and whatever a racing refresh
//! mints carries the session's position, and is covered as it is.
//!
//! **"Revoked", said before it was so**: queued, or with the store down. Here the answer comes after stable storage and
//! after this node's own view. A store that fails is 503.
//!
//! **Open when the store is down.** A view that is too old answers nothing, unless the operator chose otherwise; no
//! fallback to a set in memory takes writes. And an outage is never a 401, on which clients delete their tokens.
//!
//! **A cache or database that forgets**: evicted, restored from an old copy, failed over to a lagging replica.
//! Followers notice by the chain of tags and the high-water mark, refuse, and heal; see [a stale
//! view](super::stale_view).
//!
//! **Millions of tokens to take back at once.** A cut-off on a user, an application, a key or everything is one entry.
//!
//! # Refreshing
//! **One refresh token, several chains** (CVE-2026-1035): read, then written. Here one compare-and-set decides, and
//! whoever loses it decides again.
//!
//! **False alarms**: two tabs, or a reply that was lost, and the user was signed out everywhere. For ten seconds the
//! token before is answered with the *same* successor, so tabs converge; real reuse costs one session and never all.
//!
//! **A grace without end**: an old token that was the parent of a living one passed for ever. The window does not
//! slide, and it closes when the successor is used.
//!
//! **A denial of service by old tokens.** Only an authentic token ends its session: the MAC is checked before any store
//! is asked, and a client that is named must be the session's.
//!
//! **A disabled user who was still served** (CVE-2024-22513). [`welcome`](crate::Builder::welcome) is asked at every
//! refresh, and a cut-off on the subject kills what is out.
//!
//! **Secrets by their timing, or out of a stolen database.** MACs are compared in constant time, before any row is
//! read. The store holds no token, no hash of one, and no key that is not sealed.
//!
//! # Keys
//! **A key of one issuer accepted for another.** A key set belongs to one issuer, and its tokens must name that one.
//!
//! **A rotation that dropped a key in use.** A retired key stays in the JWK Set until the last token that it signed has
//! expired. *Revoking* a key is another act: it leaves at once, and is refused by the log on nodes that have not heard
//! of it yet.
//!
//! [`Rejection::ForbiddenHeader`]: crate::Rejection::ForbiddenHeader
//! [`Rejection::BadClaim`]: crate::Rejection::BadClaim
