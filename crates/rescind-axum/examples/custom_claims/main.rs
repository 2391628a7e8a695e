//! Claims of your own: a type that handlers read, a rule on tenant and role, and the names that are not yours to give.
//!
//! ```sh
//! cargo run --release -p rescind-axum --example custom_claims
//! curl --json '{"username":"alice","password":"alice"}' http://127.0.0.1:3000/login
//! curl -H "authorization: Bearer $ACCESS" http://127.0.0.1:3000/tenants/acme
//! ```

#[path = "../common/mod.rs"]
mod common;

use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::request::Parts;
use rescind::id::{ClientId, InvalidId, Subject};
use rescind::refresh_token::ClientClass;
use rescind::{Error, Invalid, OpenSession, Rescind};
use rescind_axum::{Live, Refusal, Tokens};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::common::Outcome;

/// What every access token of this service says beside the registered claims.
#[derive(Serialize, Deserialize)]
struct Membership {
    tenant: String,
    role: Role,
}

/// What a member may do, the least first. A word that is not here opens nothing.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Role {
    Reader,
    Admin,
}

impl Membership {
    /// The claims as a session takes them. They are fixed while it lives: whoever changes a role revokes the subject.
    fn claims(self) -> Map<String, Value> {
        Map::from_iter([("tenant".to_owned(), self.tenant.into()), ("role".to_owned(), json!(self.role))])
    }
}

/// Name, which is the password too, tenant and role. Yours are in a database, with password hashes.
const USERS: [(&str, &str, Role); 3] =
    [("alice", "acme", Role::Admin), ("bob", "acme", Role::Reader), ("carol", "globex", Role::Admin)];

#[tokio::main]
async fn main() -> Outcome {
    let stage = common::stage("custom_claims", 3000).await?;
    let rescind = Rescind::builder("https://claims.example", "https://claims.example/api")
        .store(stage.store)
        .root_secret(stage.root)
        .high_water(stage.data.join("high-water"))
        .build()
        .await?;
    let app = Router::new()
        .route("/login", post(login))
        .route("/tenants/{tenant}", get(tenant))
        .route("/tenants/{tenant}/machines", post(add_machine))
        .with_state(rescind.clone());
    common::serve(stage.listener, app, rescind).await
}

/// A caller who belongs to the tenant that the path names. A handler that takes it cannot forget to ask.
struct Member(Live<Membership>);

impl FromRequestParts<Rescind> for Member {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, rescind: &Rescind) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Of {
            tenant: String,
        }
        // Refused where the claims are missing or of another type, as in a token from before there were any.
        let token = Live::<Membership>::from_request_parts(parts, rescind).await?;
        match Path::<Of>::from_request_parts(parts, rescind).await {
            Ok(Path(of)) if of.tenant == token.claims().tenant => Ok(Self(token)),
            _ => Err(Refusal::OtherClaims),
        }
    }
}

impl Member {
    /// Asks for this role or a higher one.
    fn require(&self, role: Role) -> Result<(), Refusal> {
        if self.0.claims().role >= role { Ok(()) } else { Err(Refusal::OtherClaims) }
    }
}

async fn tenant(Member(token): Member) -> Json<Value> {
    let Membership { tenant, role } = token.claims();
    Json(json!({ "you": token.subject(), "tenant": tenant, "role": role }))
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

async fn login(State(rescind): State<Rescind>, Json(login): Json<Login>) -> Result<Tokens, Failure> {
    let found = USERS.iter().find(|(name, ..)| *name == login.username && *name == login.password);
    let &(name, tenant, role) = found.ok_or(Refusal::WrongCredentials)?;
    let mut session = OpenSession::new(Subject::new(name)?, ClientId::new("web")?);
    session.claims = Some(Membership { tenant: tenant.to_owned(), role }.claims());
    Ok(Tokens(rescind.open_session(session).await?))
}

#[derive(Deserialize)]
struct Machine {
    name: String,
    /// What the admin wants to find in the machine's tokens.
    #[serde(default)]
    claims: Map<String, Value>,
}

/// Gives a machine tokens of the admin's tenant, with claims that the admin chose. Rescind refuses the names that it sets
/// itself (`rescind::access_token::RESERVED`): with a `sub` of the caller's choice the token would be somebody else's. The
/// names that this service reads are its own to refuse.
async fn add_machine(
    admin: Member,
    State(rescind): State<Rescind>,
    Json(Machine { name, mut claims }): Json<Machine>,
) -> Result<(StatusCode, Tokens), Failure> {
    admin.require(Role::Admin)?;
    let tenant = admin.0.claims().tenant.clone();
    let subject = Subject::new(format!("{tenant}/{name}"))?;
    for (name, value) in (Membership { tenant, role: Role::Reader }).claims() {
        if claims.contains_key(&name) {
            return Err(Failure::Bad(format!("`{name}` is this service's to set; choose another name")));
        }
        claims.insert(name, value);
    }
    let mut session = OpenSession::new(subject, ClientId::new("machine")?);
    session.class = ClientClass::Agent;
    session.claims = Some(claims);
    Ok((StatusCode::CREATED, Tokens(rescind.open_session(session).await?)))
}

/// Why a handler did not do what it was asked.
enum Failure {
    Bad(String),
    Refused(Refusal),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Bad(text) => {
                let body = json!({ "error": "invalid_request", "error_description": text });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Self::Refused(refusal) => refusal.into_response(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(Invalid::Claims(invalid)) => Self::Bad(invalid.to_string()),
            other => Self::Refused(other.into()),
        }
    }
}

impl From<InvalidId> for Failure {
    fn from(invalid: InvalidId) -> Self {
        Self::Bad(format!("the name {invalid}"))
    }
}
