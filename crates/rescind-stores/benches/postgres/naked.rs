//! The yardstick: one connection, a prepared statement, a commit after each row. No queue, no chain of tags.

use std::time::Instant;

use tokio_postgres::{Client, NoTls, Statement};

use super::{Load, SESSIONS, TURN, per_second};

pub(crate) struct Loop {
    client: Client,
    revoke: Statement,
    refresh: Statement,
}

impl Loop {
    /// Connects to a database with the store's schema.
    pub(crate) async fn open(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client.batch_execute("create table naked (like rescind.log including all)").await.expect("a table");
        let revoke = "insert into naked (seq, at, remember_until, tag, kind, newest, id, reason, actor) \
                      select coalesce(max(seq), 0) + 1, 1, 2, gen_random_uuid(), 0, true, gen_random_uuid()::text, 'stolen', \
                      'admin' from naked";
        // By its place in a list that was read beforehand; the statement itself finds one row by its key.
        let refresh = "update rescind.sessions set generation = generation + 1, rotated_at = rotated_at + 1 \
                      where sid = (select sid from naked_sids where n = $1)";
        client
            .batch_execute(
                "create table naked_sids as select row_number() over () as n, sid from rescind.sessions; \
                 create unique index on naked_sids (n); analyze naked_sids",
            )
            .await
            .expect("a list");
        let revoke = client.prepare(revoke).await.expect("a statement");
        let refresh = client.prepare(refresh).await.expect("a statement");
        Self { client, revoke, refresh }
    }

    /// Rows a second for one turn.
    pub(crate) async fn rate(&self, load: Load) -> f64 {
        let begun = Instant::now();
        let mut rows = 0;
        while begun.elapsed() < TURN {
            match load {
                Load::Revoke => self.client.execute(&self.revoke, &[]).await,
                Load::Refresh => {
                    let n = i64::try_from(1 + rows * 7_919 % SESSIONS).expect("a place");
                    self.client.execute(&self.refresh, &[&n]).await
                }
            }
            .expect("written");
            rows += 1;
        }
        per_second(rows, begun)
    }
}
