//! What one worker of the load holds: its sessions and their tokens, what it has begun to revoke, what waits for its lift,
//! and what is over. Knows no node. Nobody else acts on a worker's subjects and clients, so acts on one scope come one
//! after another.

use std::collections::{HashSet, VecDeque};

use crate::asked::{At, Scope};
use crate::client::Pair;
use crate::history::History;
use crate::luck::Luck;

/// So many lately revoked or lifted tokens are asked about again and again.
const LATELY: usize = 24;
/// A live session's older access tokens go to what is over.
const TOKENS: usize = 3;

/// An access token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) credential: usize,
    pub(crate) scope: Scope,
}

/// What a session may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Use {
    Free,
    /// The reply to its last refresh was lost: that has to be asked for again.
    Unsure,
    /// Somebody has begun to revoke this.
    EndedBy(Scope),
    /// It was refused, or everybody was signed out.
    Over,
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: Scope,
    pub(crate) subject: Scope,
    client: Scope,
    opened: (At, At),
    pub(crate) refresh: String,
    /// Refresh tokens that were spent, the newest last.
    pub(crate) spent: Vec<String>,
    /// The right to refresh.
    pub(crate) credential: usize,
    pub(crate) tokens: Vec<Token>,
    pub(crate) at: Use,
    /// Since when it is not known whether its refresh token was spent: when the first refresh was sent of those that were
    /// not answered.
    pub(crate) unsure: Option<At>,
}

/// A token that is over, or was replaced.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Access(Token),
    Refresh { text: String, credential: usize },
}

#[derive(Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) sessions: Vec<Session>,
    pub(crate) lately: VecDeque<Token>,
    /// Revocations that were not acknowledged: whoever asked for them asks again.
    pub(crate) again: Vec<Scope>,
    /// Cut-offs that were acknowledged at the first try, and are to be lifted, with their positions.
    pub(crate) due: Vec<(Scope, u64)>,
    /// Everything else that there was.
    pub(crate) over: Vec<Kept>,
    /// What somebody has begun to revoke, and nobody has lifted.
    taken: HashSet<Scope>,
}

impl Holdings {
    pub(crate) fn add(&mut self, subject: &str, client: &str, opened: (At, At), pair: Pair, history: &History) {
        let Pair { access, refresh, session } = pair;
        let (id, subject, client) =
            (Scope::new("session", &session), Scope::new("subject", subject), Scope::new("client", client));
        let credential = history.issue_in(opened, vec![id.clone(), subject.clone(), client.clone(), Scope::all()]);
        let (spent, tokens, at) = (Vec::new(), Vec::new(), Use::Free);
        let unsure = None;
        let mut session = Session { id, subject, client, opened, refresh, spent, credential, tokens, at, unsure };
        session.take(&access, history);
        self.sessions.push(session);
    }

    /// The number of a session that may be used.
    pub(crate) fn any(&self, luck: &mut Luck, sort: impl Fn(&Session) -> bool) -> Option<usize> {
        let these: Vec<usize> =
            (0..self.sessions.len()).filter(|number| self.sessions.get(*number).is_some_and(&sort)).collect();
        luck.any(&these).copied()
    }

    pub(crate) fn live(&self) -> usize {
        self.sessions.iter().filter(|session| session.at == Use::Free).count()
    }

    /// Somebody begins to revoke this; `false` where somebody has already.
    pub(crate) fn take(&mut self, scope: &Scope) -> bool {
        if !self.taken.insert(scope.clone()) {
            return false;
        }
        let mut ended = Vec::new();
        for session in &mut self.sessions {
            if session.is_under(scope) && session.at == Use::Free {
                session.at = Use::EndedBy(scope.clone());
                ended.extend(session.tokens.last().cloned());
            }
            ended.extend(session.tokens.iter().find(|token| token.scope == *scope).cloned());
        }
        for token in ended {
            self.of_interest(token);
        }
        true
    }

    /// Its lift was acknowledged.
    pub(crate) fn lifted(&mut self, scope: &Scope) {
        self.taken.remove(scope);
        let mut back = Vec::new();
        for session in &mut self.sessions {
            if session.at == Use::EndedBy(scope.clone()) {
                // It may be under another cut-off besides.
                let other = session.scopes().into_iter().find(|scope| self.taken.contains(scope)).cloned();
                session.at = other.map_or(Use::Free, Use::EndedBy);
                back.extend(session.tokens.last().cloned());
            }
            back.extend(session.tokens.iter().find(|token| token.scope == *scope).cloned());
        }
        for token in back {
            self.of_interest(token);
        }
    }

    pub(crate) fn everybody_is_out(&mut self) {
        self.sessions.iter_mut().for_each(|session| session.at = Use::Over);
    }

    /// A token to ask about: one that was lately revoked or lifted, or any.
    pub(crate) fn to_check(&self, luck: &mut Luck) -> Option<Token> {
        let lately = self.lately.get(luck.below(LATELY)).filter(|_| !luck.once_in(3));
        let session = luck.any(&self.sessions).and_then(|session| luck.any(&session.tokens));
        lately.or(session).cloned()
    }

    /// Puts away what nobody will use any more.
    pub(crate) fn put_away(&mut self) {
        let waits = |scope: &Scope| self.again.contains(scope) || self.due.iter().any(|(due, _)| due == scope);
        let (stay, go): (Vec<Session>, Vec<Session>) =
            std::mem::take(&mut self.sessions).into_iter().partition(|session| match &session.at {
                Use::Free | Use::Unsure => true,
                Use::EndedBy(scope) => waits(scope),
                Use::Over => false,
            });
        self.sessions = stay;
        for session in &mut self.sessions {
            let old = session.tokens.len().saturating_sub(TOKENS);
            self.over.extend(session.tokens.drain(..old).map(Kept::Access));
        }
        for Session { tokens, refresh: text, credential, unsure, .. } in go {
            self.over.extend(tokens.into_iter().map(Kept::Access));
            if unsure.is_none() {
                self.over.push(Kept::Refresh { text, credential });
            }
        }
    }

    fn of_interest(&mut self, token: Token) {
        self.lately.push_front(token);
        self.lately.truncate(LATELY);
    }
}

impl Session {
    /// It has a new access token.
    pub(crate) fn take(&mut self, access: &str, history: &History) {
        let (jti, kid) = names_in(access);
        let scope = Scope::new("token", &jti);
        let scopes = vec![
            scope.clone(),
            self.id.clone(),
            self.subject.clone(),
            self.client.clone(),
            Scope::new("key", &kid),
            Scope::all(),
        ];
        let credential = history.issue_in(self.opened, scopes);
        self.tokens.push(Token { text: access.to_owned(), credential, scope });
    }

    /// Its refresh was answered.
    pub(crate) fn refreshed(&mut self, pair: Pair, history: &History) {
        self.take(&pair.access, history);
        if pair.refresh != self.refresh {
            self.spent.push(std::mem::replace(&mut self.refresh, pair.refresh));
        }
    }

    pub(crate) fn is_under(&self, scope: &Scope) -> bool {
        self.scopes().contains(&scope)
    }

    fn scopes(&self) -> [&Scope; 3] {
        [&self.id, &self.subject, &self.client]
    }

    pub(crate) fn client(&self) -> &Scope {
        &self.client
    }
}

/// The token's id and its key's: RFC 7519 §4.1.7 and RFC 7515 §4.1.4.
fn names_in(token: &str) -> (String, String) {
    use base64::Engine as _;
    let mut parts = token.split('.').map(|part| {
        let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice::<serde_json::Value>(&json).unwrap_or_default()
    });
    let mut member = |name: &str| {
        let json = parts.next().unwrap_or_default();
        json.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let kid = member("kid");
    (member("jti"), kid)
}
