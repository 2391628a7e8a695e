//! The sessions that a load has opened, and which of them may be asked, refreshed or revoked next. Knows no node.

use std::collections::VecDeque;

use super::client::Pair;
use super::history::{Answer, History, Scope};

/// So many lately revoked tokens are asked about again and again.
const LATELY: usize = 40;

/// An access token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(super) text: String,
    pub(super) credential: usize,
    jti: String,
}

/// What a session may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Free,
    /// A refresh is on its way.
    Refreshing,
    /// Somebody has begun to revoke it, or it was refused.
    Ending,
}

#[derive(Debug)]
pub(super) struct Session {
    subject: String,
    id: String,
    pub(super) refresh: String,
    /// The right to refresh.
    pub(super) credential: usize,
    pub(super) tokens: Vec<Token>,
    pub(super) at: Use,
}

/// All sessions of a load.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) sessions: Vec<Session>,
    lately: VecDeque<Token>,
    /// Revocations that were not acknowledged: whoever asked for them asks again.
    pub(super) again: Vec<Scope>,
}

impl Pool {
    pub(super) fn add(&mut self, subject: &str, pair: Pair, history: &History) {
        let scopes = vec![Scope::new("session", &pair.session), Scope::new("subject", subject)];
        let credential = history.issue(scopes);
        let token = token(&pair.access, subject, &pair.session, history);
        let Pair { refresh, session: id, .. } = pair;
        let subject = subject.to_owned();
        self.sessions.push(Session { subject, id, refresh, credential, tokens: vec![token], at: Use::Free });
    }

    /// A session that may be refreshed; it is marked.
    pub(super) fn take_to_refresh(&mut self, luck: usize) -> Option<(usize, String, usize)> {
        let number = self.free(luck)?;
        let session = &mut self.sessions[number];
        session.at = Use::Refreshing;
        Some((number, session.refresh.clone(), session.credential))
    }

    /// It was answered, or not: then the old token still has to be good. A session that is refused is of no use.
    pub(super) fn refreshed(&mut self, number: usize, (answer, pair): (Answer, Option<Pair>), history: &History) {
        let session = &mut self.sessions[number];
        session.at = if answer == Answer::Refused { Use::Ending } else { Use::Free };
        if let Some(pair) = pair {
            session.tokens.push(token(&pair.access, &session.subject, &session.id, history));
            session.refresh = pair.refresh;
        }
    }

    /// A scope to revoke: of a token, a session or a subject in turn. What it ends is not issued to any more.
    pub(super) fn take_to_revoke(&mut self, luck: usize) -> Option<Scope> {
        if luck.is_multiple_of(2)
            && let Some(scope) = self.again.pop()
        {
            return Some(scope);
        }
        let number = self.free(luck / 2)?;
        let Session { subject, id, tokens, .. } = &self.sessions[number];
        let (subject, id) = (subject.clone(), id.clone());
        if luck.is_multiple_of(3)
            && let [.., last] = &tokens[..]
        {
            let last = last.clone();
            self.ended(&last);
            return Some(Scope::new("token", &last.jti));
        }
        let whole = luck % 3 == 1;
        let theirs = |session: &Session| if whole { session.subject == subject } else { session.id == id };
        if self.sessions.iter().any(|session| theirs(session) && session.at == Use::Refreshing) {
            return None;
        }
        let mut ended = Vec::new();
        for session in self.sessions.iter_mut().filter(|session| theirs(session)) {
            session.at = Use::Ending;
            ended.extend(session.tokens.last().cloned());
        }
        for token in &ended {
            self.ended(token);
        }
        Some(if whole { Scope::new("subject", &subject) } else { Scope::new("session", &id) })
    }

    /// A token to ask about: one that was lately revoked, or any.
    pub(super) fn to_check(&self, luck: usize) -> Option<Token> {
        let lately = self.lately.get(luck / 2 % LATELY).filter(|_| luck.is_multiple_of(2));
        let any = || {
            let session = self.sessions.get((luck / 2).checked_rem(self.sessions.len())?)?;
            session.tokens.get((luck / 1024).checked_rem(session.tokens.len())?)
        };
        lately.or_else(any).cloned()
    }

    pub(super) fn lately(&self) -> Vec<Token> {
        self.lately.iter().cloned().collect()
    }

    pub(super) fn live(&self) -> usize {
        self.sessions.iter().filter(|session| session.at != Use::Ending).count()
    }

    fn free(&self, luck: usize) -> Option<usize> {
        let free: Vec<usize> =
            (0..self.sessions.len()).filter(|number| self.sessions[*number].at == Use::Free).collect();
        free.get(luck.checked_rem(free.len())?).copied()
    }

    fn ended(&mut self, token: &Token) {
        self.lately.push_front(token.clone());
        self.lately.truncate(LATELY);
    }
}

fn token(text: &str, subject: &str, session: &str, history: &History) -> Token {
    let jti = jti(text);
    let scopes = vec![Scope::new("token", &jti), Scope::new("session", session), Scope::new("subject", subject)];
    Token { text: text.to_owned(), credential: history.issue(scopes), jti }
}

/// RFC 7519 §4.1.7, from the token's second part.
fn jti(token: &str) -> String {
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<serde_json::Value>(&claims).unwrap()["jti"].as_str().unwrap().to_owned()
}
