-- The first layout. Times are milliseconds since 1970-01-01T00:00:00Z; the views below show them as dates.

-- One row. The log's head is its last row above base_seq, or the base where there is none.
CREATE TABLE meta (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    incarnation BLOB NOT NULL CHECK (length(incarnation) = 16),
    base_seq INTEGER NOT NULL,  -- the last position that was swept, or where the incarnation began
    base_tag BLOB NOT NULL CHECK (length(base_tag) = 16),
    probes INTEGER NOT NULL     -- written to find out whether there is room again
) STRICT;

-- Every cut-off and lift that is remembered. newest = 1 marks the entry that is its scope's state.
CREATE TABLE log (
    seq INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    lift_of INTEGER,            -- the cut-off that is lifted; NULL in a cut-off
    kind TEXT NOT NULL,         -- token, session, subject, client, key, all
    id TEXT NOT NULL,
    remember_until INTEGER NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    tag BLOB NOT NULL           -- digest over the log up to here
) STRICT;
CREATE UNIQUE INDEX log_state ON log (id, kind) WHERE newest = 1;
CREATE INDEX log_due ON log (remember_until) WHERE newest = 1;

CREATE TABLE sessions (
    sid TEXT NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    position INTEGER NOT NULL,  -- the log's head at opening
    opened_at INTEGER NOT NULL,
    auth_time INTEGER NOT NULL,
    idle INTEGER NOT NULL,      -- milliseconds
    expires_at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    client TEXT NOT NULL,
    class TEXT NOT NULL,        -- browser, native, agent, strict, fixed
    device TEXT,
    scope TEXT,
    claims TEXT                 -- a JSON object
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_subject ON sessions (subject, sid);
CREATE INDEX sessions_due ON sessions (expires_at);

CREATE TABLE records (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- For people with the sqlite3 tool.
CREATE VIEW log_readable AS
SELECT seq,
       strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at,
       iif(lift_of IS NULL, 'cut-off', 'lift of ' || lift_of) AS act,
       kind, id, reason, actor,
       strftime('%Y-%m-%dT%H:%M:%fZ', remember_until / 1000.0, 'unixepoch') AS remember_until,
       iif(newest, iif(lift_of IS NULL, 'active', 'lifted'), 'superseded or forgotten') AS state,
       lower(hex(tag)) AS tag
FROM log;

CREATE VIEW sessions_readable AS
SELECT sid, subject, client, class, device, generation,
       strftime('%Y-%m-%dT%H:%M:%fZ', opened_at / 1000.0, 'unixepoch') AS opened_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', rotated_at / 1000.0, 'unixepoch') AS rotated_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', min(expires_at, rotated_at + idle) / 1000.0, 'unixepoch') AS ends_at,
       position, scope, claims
FROM sessions;
