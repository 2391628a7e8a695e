//! What is answered where a request does not succeed, as the documents say it: one type for each way in which a request
//! can fail, which a route names among its answers. The answers themselves are `http/error.rs`'s and the library's.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Header, HeaderBuilder, RefOr, Response, ResponseBuilder};

/// RFC 6749 §5.2, for the whole text.
const DESCRIPTION: &str = "^[ -!#-\\[\\]-~]*$";

/// One status that says no.
struct Refused {
    status: u16,
    what: &'static str,
    /// The `error` that stands in the body; an empty one, that none may.
    codes: &'static [&'static str],
    headers: &'static [(&'static str, &'static str)],
    /// Whether a browser that asked by a form or for a page gets one.
    pages: Pages,
}

#[derive(Clone, Copy)]
enum Pages {
    Never,
    Sometimes,
}

pub(super) const NO_STORE: (&str, &str) = ("cache-control", "`no-store`: no cache keeps it.");
const RETRY: (&str, &str) = ("retry-after", "When to come again. **Units:** whole seconds.");
const CHALLENGE: (&str, &str) = ("www-authenticate", "RFC 6750 §3: why, as far as that is told.");
const CLOSE: (&str, &str) = ("connection", "`close`: the rest of the request is not read.");

impl Refused {
    const fn new(status: u16, what: &'static str, codes: &'static [&'static str]) -> Self {
        Self { status, what, codes, headers: &[NO_STORE], pages: Pages::Never }
    }

    const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    const fn or_page(self) -> Self {
        Self { pages: Pages::Sometimes, ..self }
    }

    fn response(&self) -> Response {
        let code = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(self.codes.iter().copied().filter(|code| !code.is_empty())));
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(DESCRIPTION));
        let mut body = ObjectBuilder::new()
            .property("error", code)
            .property("error_description", text)
            .required("error_description")
            .additional_properties(Some(AdditionalProperties::<utoipa::openapi::Schema>::FreeForm(false)));
        if !self.codes.contains(&"") {
            body = body.required("error");
        }
        if self.status == 409 {
            let newest =
                ObjectBuilder::new().description(Some("The log entry that stands in the way, where one does."));
            body = body.property("newest", newest);
        }
        let mut response = ResponseBuilder::new().description(self.what);
        if !self.codes.is_empty() {
            response = response.content("application/json", ContentBuilder::new().schema(Some(body)).build());
        }
        if matches!(self.pages, Pages::Sometimes) {
            let page = ObjectBuilder::new().schema_type(Type::String);
            response = response.content("text/html", ContentBuilder::new().schema(Some(page)).build());
        }
        for (name, what) in self.headers {
            response = response.header(*name, header(what));
        }
        response.build()
    }
}

/// A header of an answer, and what is to be said of it.
pub(super) fn header(what: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(text).description(Some(what)).build()
}

/// Names the answers of a type.
macro_rules! refused {
    ($($(#[$doc:meta])* $name:ident: $($refused:expr),+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let all = [$($refused),+];
                all.iter().map(|one| (one.status.to_string(), RefOr::T(one.response()))).collect()
            }
        }
    )+};
}

const SLOW: Refused = Refused::new(408, "The request was not complete in time.", &["request_timeout"]).with(&[CLOSE]);
const LONG: Refused =
    Refused::new(413, "The body is longer than 64 KiB.", &["payload_too_large"]).with(&[NO_STORE, CLOSE]);
const UNREADABLE: Refused = Refused::new(400, "What came cannot be read; the text says why.", &["invalid_request"]);
const FAULT: Refused = Refused::new(
    503,
    "It cannot be answered at the moment. Nothing is said about any token, and nothing was done.",
    &["temporarily_unavailable"],
)
.with(&[NO_STORE, RETRY]);
const UNPROVEN: Refused = Refused::new(401, "The client did not prove itself.", &["invalid_client"]).with(&[
    NO_STORE,
    ("www-authenticate", "Where the client tried the `Authorization` header: a challenge for HTTP Basic."),
]);
const MANY: Refused = Refused::new(429, "Too many failed tries of this name or address.", &["too_many_requests"])
    .with(&[NO_STORE, RETRY]);
const BAD_TOKEN: Refused = Refused::new(
    401,
    "The token is expired, revoked or malformed, or none came: then there is no `error`.",
    &["", "invalid_token"],
)
.with(&[NO_STORE, CHALLENGE]);
/// A header that holds no one token is answered with a challenge.
const UNCLEAR: Refused = UNREADABLE
    .with(&[NO_STORE, ("www-authenticate", "Where the `Authorization` header does not hold exactly one token.")]);

refused! {
    /// The request's head, which the listener reads itself.
    Head: SLOW, Refused::new(431, "The request's head is longer than 64 KiB.", &[]).with(&[]);
    /// A parameter or a body cannot be read.
    Unreadable: UNREADABLE;
    /// A body that must be read whole.
    Body: UNREADABLE, SLOW, LONG;
    /// A fault of ours.
    Unavailable: FAULT;
    /// No good access token came.
    NoCaller: UNCLEAR, BAD_TOKEN;
    /// A cookie came at the word of another site.
    CrossSite: Refused::new(403, "The request comes from another site.", &["access_denied"]);
    /// There is no such thing.
    NotFound: Refused::new(404, "There is no such thing.", &["not_found"]);
    /// Something stands in the way.
    Conflict: Refused::new(409, "Something stands in the way, and the text says what.", &["conflict"]);
    /// A sign-in that did not come about.
    NotSignedIn:
        UNREADABLE.or_page(),
        Refused::new(401, "The name or the password is wrong.", &["invalid_grant"])
            .with(&[NO_STORE, CHALLENGE])
            .or_page(),
        SLOW, LONG,
        MANY.or_page(),
        FAULT.or_page();
    /// A grant that is not answered with tokens.
    Grant:
        Refused::new(400, "The grant is refused (RFC 6749 §5.2).",
            &["invalid_request", "invalid_grant", "invalid_scope", "unsupported_grant_type"]),
        UNPROVEN, SLOW, LONG, FAULT;
    /// A revocation that was not taken.
    NotRevoked:
        Refused::new(400, "It cannot be read, or the token was issued to another client.",
            &["invalid_request", "unauthorized_client"]),
        UNPROVEN, SLOW, LONG, FAULT;
    /// Whoever may not ask what a token is worth.
    NotTold:
        UNCLEAR,
        Refused::new(401, "The caller did not prove itself.", &["invalid_client", "invalid_token"])
            .with(&[NO_STORE, CHALLENGE]),
        SLOW, LONG, FAULT;
    /// A log-out that ended nothing.
    NotLoggedOut: UNCLEAR, BAD_TOKEN, SLOW, LONG, FAULT;
    /// A browser that is not sent to a provider.
    NotSent:
        UNREADABLE.or_page(),
        Refused::new(404, "There is no such provider.", &["not_found"]).or_page(),
        Refused::new(500, "This server cannot do it.", &["server_error"]).or_page(),
        Refused::new(502, "The provider does not answer as it must.", &["server_error"]).or_page(),
        FAULT.or_page();
    /// Somebody who comes back from a provider and is not let in.
    NotLetIn:
        Refused::new(403, "The sign-in was cancelled, or this account may not sign in.", &["access_denied"]).or_page(),
        MANY.or_page();
    /// The admin token did not come.
    NoAdmin:
        Refused::new(401, "The admin token did not come; where none did, there is no `error`.", &["", "invalid_token"]).with(&[NO_STORE, CHALLENGE]),
        Refused::new(403, "The feed token reads the log and nothing else.", &["access_denied"]);
}
