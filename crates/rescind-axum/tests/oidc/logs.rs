//! What is logged: every failure with its reason, and never a token, a code, a state or a secret.
#![cfg(test)]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::provider::{Answer, SECRET};
use crate::stage::{Stage, opening};

/// Writes every event's fields down.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<String>>);

impl Subscriber for Written {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

#[tokio::test]
async fn every_failure_is_logged_with_its_reason_and_no_secret_ever_is() {
    let written = Written::default();
    let _logging = tracing::subscriber::set_default(written.clone());
    let stage = Stage::new().await;
    let tokens = Arc::new(Mutex::new(vec![SECRET.to_owned(), "opaque".to_owned(), "hush".to_owned()]));
    let keep = Arc::clone(&tokens);
    stage.idp.script().change_tokens =
        Box::new(move |answer| keep.lock().unwrap().push(answer["id_token"].as_str().unwrap().to_owned()));
    let (query, browser) = stage.agree().await;
    for (_, value) in url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "iss") {
        tokens.lock().unwrap().push(value.into_owned());
    }
    tokens.lock().unwrap().push(browser.values().next().unwrap().to_str().unwrap().to_owned());

    let who = stage.providers.finish(Some("idp"), &query, &browser).await.unwrap().identity;
    let pair = stage.providers.open_session(&who, opening(&who)).await.unwrap();
    assert!(stage.providers.finish(Some("idp"), &query, &browser).await.is_err());
    let (query, browser) = stage.agree().await;
    assert!(stage.providers.finish(Some("idp"), &query.replace("code-2", "code-x"), &browser).await.is_err());
    stage.idp.change_claims(|claims| claims["nonce"] = "other".into());
    assert_eq!(stage.refusal().await, "id_token");
    let logout = stage.idp.logout_token(|_, _| {});
    assert!(stage.providers.back_channel_logout("idp", &logout).await.is_ok());
    assert!(stage.providers.back_channel_logout("idp", &logout).await.is_err());
    assert!(stage.providers.open_session(&who, opening(&who)).await.is_err());
    stage.idp.answer("discovery", Answer::Status(500));
    stage.clock.advance(std::time::Duration::from_hours(2));
    assert!(stage.providers.begin("idp", None).await.is_ok());
    tokens.lock().unwrap().extend([logout, pair.access_token, pair.refresh_token]);

    let written = written.0.lock().unwrap();
    for reason in ["replayed", "code_refused", "id_token wrong_nonce", "ended_by_provider", "provider_status 500"] {
        assert!(written.contains(&format!("reason={reason}")), "{reason} in {written}");
    }
    assert!(written.contains("provider=\"idp\"") && written.contains(&*stage.idp.issuer), "{written}");
    for secret in tokens.lock().unwrap().iter() {
        assert!(!written.contains(secret.as_str()), "{secret} in {written}");
        let signature = secret.rsplit('.').next().unwrap();
        assert!(!written.contains(signature), "a part of it, too");
    }
}
