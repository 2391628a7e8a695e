//! The sessions that a load has opened, and which of them may be asked, refreshed or revoked next. Knows no node.

use std::collections::{HashSet, VecDeque};

use rescind_torture::{Answer, History, Pair, Scope};

/// So many cut-offs wait for their lift at any time, so that a fault comes between the two.
const WAITING: usize = 6;
/// So many lately revoked or lifted tokens are asked about again and again.
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
    /// Its last refresh was answered. One whose reply was lost has to be tried again within grace.
    is_sure: bool,
    /// What was revoked, where that ended it.
    ended_by: Option<Scope>,
    /// Something that covered it, or a token of it, was lifted.
    pub(super) was_lifted: bool,
}

/// A cut-off that is to be lifted.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) scope: Scope,
    pub(super) seq: u64,
}

/// All sessions of a load.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) sessions: Vec<Session>,
    lately: VecDeque<Token>,
    /// Revocations that were not acknowledged: whoever asked for them asks again.
    pub(super) again: Vec<Scope>,
    /// Cut-offs that were acknowledged at the first try, and are to be lifted.
    pub(super) due: Vec<Due>,
    /// Scopes that somebody has begun to revoke. Nobody else does anything to them before they are lifted.
    taken: HashSet<Scope>,
}

impl Pool {
    pub(super) fn add(&mut self, subject: &str, pair: Pair, history: &History) {
        let scopes = vec![Scope::new("session", &pair.session), Scope::new("subject", subject)];
        let credential = history.issue(scopes);
        let token = token(&pair.access, subject, &pair.session, history);
        let Pair { refresh, session: id, .. } = pair;
        let (subject, tokens) = (subject.to_owned(), vec![token]);
        let (at, is_sure, ended_by, was_lifted) = (Use::Free, true, None, false);
        self.sessions.push(Session { subject, id, refresh, credential, tokens, at, is_sure, ended_by, was_lifted });
    }

    /// A session that may be refreshed; it is marked. At every other turn one whose last refresh has to be tried again.
    pub(super) fn take_to_refresh(&mut self, luck: usize) -> Option<(usize, String, usize)> {
        let unsure = if luck.is_multiple_of(2) { self.any(luck / 2, |session| !session.is_sure) } else { None };
        let number = unsure.or_else(|| self.free(luck / 2))?;
        let session = &mut self.sessions[number];
        session.at = Use::Refreshing;
        Some((number, session.refresh.clone(), session.credential))
    }

    /// It was answered, or not: then the old token still has to be good. A session that is refused is of no use.
    pub(super) fn refreshed(&mut self, number: usize, (answer, pair): (Answer, Option<Pair>), history: &History) {
        let session = &mut self.sessions[number];
        session.at = if answer == Answer::Refused { Use::Ending } else { Use::Free };
        session.is_sure = answer == Answer::Yes;
        if let Some(pair) = pair {
            session.tokens.push(token(&pair.access, &session.subject, &session.id, history));
            session.refresh = pair.refresh;
        }
    }

    /// A revocation that was not acknowledged, to be asked for again.
    pub(super) fn take_again(&mut self, luck: usize) -> Option<Scope> {
        if luck.is_multiple_of(2) { self.again.pop() } else { None }
    }

    /// A cut-off to lift: any, so that some wait longer than others.
    pub(super) fn take_to_lift(&mut self, luck: usize) -> Option<Due> {
        let count = self.due.len();
        (count > WAITING).then(|| self.due.swap_remove(luck % count))
    }

    /// A scope to revoke: of a token, a session or a subject in turn. What it ends is not issued to before it is lifted.
    pub(super) fn take_to_revoke(&mut self, luck: usize) -> Option<Scope> {
        let number = self.free(luck / 2)?;
        let Session { subject, id, tokens, .. } = &self.sessions[number];
        let (subject, id) = (subject.clone(), id.clone());
        if luck.is_multiple_of(3)
            && let [.., last] = &tokens[..]
        {
            let (last, scope) = (last.clone(), Scope::new("token", &last.jti));
            return self.taken.insert(scope.clone()).then(|| {
                self.of_interest(&last);
                scope
            });
        }
        let whole = luck % 3 == 1;
        let scope = if whole { Scope::new("subject", &subject) } else { Scope::new("session", &id) };
        let theirs = |session: &Session| if whole { session.subject == subject } else { session.id == id };
        let waits = |session: &Session| session.at == Use::Refreshing || session.at == Use::Free && !session.is_sure;
        if self.sessions.iter().any(|session| theirs(session) && waits(session)) || !self.taken.insert(scope.clone()) {
            return None;
        }
        let mut ended = Vec::new();
        for session in self.sessions.iter_mut().filter(|session| theirs(session)) {
            if session.at == Use::Free {
                (session.at, session.ended_by) = (Use::Ending, Some(scope.clone()));
            }
            ended.extend(session.tokens.last().cloned());
        }
        for token in &ended {
            self.of_interest(token);
        }
        Some(scope)
    }

    /// A lift was acknowledged: what its cut-off ended can be used again.
    pub(super) fn lifted(&mut self, scope: &Scope) {
        self.taken.remove(scope);
        let mut back = Vec::new();
        for session in &mut self.sessions {
            if session.ended_by.as_ref() == Some(scope) {
                (session.at, session.ended_by, session.was_lifted) = (Use::Free, None, true);
                back.extend(session.tokens.last().cloned());
            }
            if scope.kind == "token"
                && let Some(token) = session.tokens.iter().find(|token| token.jti == scope.id)
            {
                session.was_lifted = true;
                back.push(token.clone());
            }
        }
        for token in &back {
            self.of_interest(token);
        }
    }

    /// A token to ask about: one that was lately revoked or lifted, or any.
    pub(super) fn to_check(&self, luck: usize) -> Option<Token> {
        let lately = self.lately.get(luck / 2 % LATELY).filter(|_| luck.is_multiple_of(2));
        let any = || {
            let session = self.sessions.get((luck / 2).checked_rem(self.sessions.len())?)?;
            session.tokens.get((luck / 1024).checked_rem(session.tokens.len())?)
        };
        lately.or_else(any).cloned()
    }

    /// A token that nobody has begun to revoke.
    pub(super) fn good(&self, luck: usize) -> Option<Token> {
        let number = self.any(luck, |session| {
            session.tokens.last().is_some_and(|last| !self.taken.contains(&Scope::new("token", &last.jti)))
        })?;
        self.sessions[number].tokens.last().cloned()
    }

    pub(super) fn lately(&self) -> Vec<Token> {
        self.lately.iter().cloned().collect()
    }

    pub(super) fn live(&self) -> usize {
        self.sessions.iter().filter(|session| session.at != Use::Ending).count()
    }

    fn free(&self, luck: usize) -> Option<usize> {
        self.any(luck, |_| true)
    }

    /// Any of the free ones of this sort.
    fn any(&self, luck: usize, sort: impl Fn(&Session) -> bool) -> Option<usize> {
        let these = self.sessions.iter().enumerate().filter(|(_, session)| session.at == Use::Free && sort(session));
        let these: Vec<usize> = these.map(|(number, _)| number).collect();
        these.get(luck.checked_rem(these.len())?).copied()
    }

    fn of_interest(&mut self, token: &Token) {
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
