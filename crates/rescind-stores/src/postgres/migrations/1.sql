-- The first layout. `{schema}` is the store's schema. Times are milliseconds since 1970-01-01T00:00:00Z; the views below
-- show them as dates. Kinds of scopes: 0 token, 1 session, 2 subject, 3 client, 4 key, 5 all.
-- Every function names its search_path: in a schema where others may create, theirs could fit a call better than the
-- one that is meant, and would run with the rights of the store. Those that look up rows forbid the planner to read whole
-- tables instead, and to compile: before the first ANALYZE, and while a table grows, its estimates are far off, and a
-- session keeps the plan of a call that found the tables empty.

-- One row: where the log stands. Whoever appends holds its lock until the commit, so positions have no gap and no
-- reader sees one before its predecessors. A sequence would leave gaps and show them in any order.
CREATE TABLE {schema}.head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL,
    at bigint NOT NULL,            -- the time of the newest entry there ever was: the next one is not before it
    base_seq bigint NOT NULL,      -- the last position that was swept, or where the incarnation began
    incarnation uuid NOT NULL,
    tag uuid NOT NULL,             -- digest over the log up to seq
    base_tag uuid NOT NULL,
    probes bigint NOT NULL         -- written to find out whether there is room again
) WITH (fillfactor = 10);          -- room for its next versions on its own page

-- Every cut-off and lift that is remembered. newest marks the entry that is its scope's state.
CREATE TABLE {schema}.log (
    seq bigint PRIMARY KEY,
    at bigint NOT NULL,
    remember_until bigint NOT NULL,
    tag uuid NOT NULL,             -- digest over the log up to here
    kind smallint NOT NULL CHECK (kind BETWEEN 0 AND 5),
    newest boolean NOT NULL,
    id text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    lift_of bigint                 -- the cut-off that is lifted; NULL in a cut-off
);
-- By a hash: half the bytes of the names, however long they are. Whoever looks up compares the name as well.
CREATE INDEX log_state ON {schema}.log (hashtextextended(id, kind)) WHERE newest;
-- In steps of 65 s, so that equal keys share one entry of the index.
CREATE INDEX log_due ON {schema}.log ((remember_until >> 16)) WHERE newest;

-- What many sessions have in common.
CREATE TABLE {schema}.profiles (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idle bigint NOT NULL,          -- milliseconds
    client text COLLATE "C" NOT NULL,
    class text COLLATE "C" NOT NULL, -- browser, native, agent, strict, fixed
    UNIQUE (client, class, idle)
);

-- Wide columns first, and no NULL: a row has neither padding nor a bitmap. In device, scope and claims '' stands for
-- "none", and what is there follows a '='.
CREATE TABLE {schema}.sessions (
    generation bigint NOT NULL,
    rotated_at bigint NOT NULL,
    position bigint NOT NULL,      -- the log's head at opening
    opened_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    sid uuid PRIMARY KEY,
    profile integer NOT NULL,
    subject text COLLATE "C" NOT NULL,
    auth_time text NOT NULL,       -- '' where it is opened_at, as it is for most
    device text NOT NULL,
    scope text NOT NULL,
    claims text NOT NULL           -- '=' and a JSON object
) WITH (fillfactor = 95);          -- a refresh touches no indexed column and finds room on the row's own page: no index is written
CREATE INDEX sessions_of_subject ON {schema}.sessions (hashtextextended(subject, 0), sid);
CREATE INDEX sessions_due ON {schema}.sessions ((expires_at >> 16));

CREATE TABLE {schema}.records (
    version bigint NOT NULL,
    ends bigint,                   -- from then on a sweep may forget it; NULL in a record that stays
    kind text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX records_due ON {schema}.records (ends) WHERE ends IS NOT NULL;

-- A replica shows what was: a session that it has not heard of would be unknown, and its cut-offs too. Every read begins
-- with this: after a failover another server may answer at the same address, behind a pooler on the same connection.
CREATE FUNCTION {schema}.from_primary() RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'what a replica shows is not the log' USING ERRCODE = 'read_only_sql_transaction';
    END IF;
END $$;

-- The time: the one that is given, or the database's at the start of the transaction, which is before what it reads.
CREATE FUNCTION {schema}.now_ms(given bigint) RETURNS bigint LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {schema}.from_primary();
    RETURN coalesce(given, floor(extract(epoch FROM now()) * 1000)::bigint);
END $$;

-- What every writing function begins with. The settings hold until the transaction ends; behind a pooler those of a
-- session would not be ours.
CREATE FUNCTION {schema}.durably() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Looked at with every write: an operator may change them while it runs, and after a failover another server answers.
    IF current_setting('fsync') = 'off' OR current_setting('full_page_writes') = 'off' THEN
        RAISE EXCEPTION 'the server would forget what it acknowledges. Set fsync = on and full_page_writes = on'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF current_setting('synchronous_commit') IN ('off', 'local') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM set_config('lock_timeout', '1s', true);
END $$;

-- Appends entries behind the head, all or none. `kept` is until when each is remembered; where a lift does not fit,
-- nothing is written, and the newest position on its scope is named.
CREATE FUNCTION {schema}.append(
    given bigint, kinds smallint[], ids text[], lifts bigint[], untils bigint[], reasons text[], actors text[],
    OUT first bigint, OUT entry_at bigint, OUT kept bigint[],
    OUT misfit boolean, OUT newest_seq bigint
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    h record;
    e record;
    state record;
    words CONSTANT text[] := ARRAY['token', 'session', 'subject', 'client', 'key', 'all'];
    s bigint;
    t bytea;
    late bigint;
    tags uuid[];
    newests boolean[];
    superseded bigint[];
BEGIN
    PERFORM {schema}.durably();
    misfit := false;
    SELECT * INTO STRICT h FROM {schema}.head FOR NO KEY UPDATE;
    -- After the lock: what waited for it is not dated before what it waited for.
    late := coalesce(given, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    entry_at := greatest(late, h.at);
    late := entry_at - late;
    first := h.seq + 1;
    IF h.seq + cardinality(ids) > 9007199254740991 THEN
        RAISE EXCEPTION 'the log has no positions left' USING ERRCODE = '54000';
    END IF;
    -- The lifts first: nothing is written where one does not fit. An entry of the same call counts for those behind it.
    FOR e IN
        SELECT u.* FROM unnest(kinds, ids, lifts) WITH ORDINALITY AS u (kind, id, lift_of, n)
        WHERE u.lift_of IS NOT NULL ORDER BY u.n
    LOOP
        SELECT h.seq + u.n AS seq, u.lift_of INTO state
            FROM unnest(kinds, ids, lifts) WITH ORDINALITY AS u (kind, id, lift_of, n)
            WHERE u.n < e.n AND u.kind = e.kind AND u.id = e.id ORDER BY u.n DESC LIMIT 1;
        IF NOT FOUND THEN
            SELECT l.seq, l.lift_of INTO state FROM {schema}.log l
                WHERE l.newest AND hashtextextended(l.id, l.kind) = hashtextextended(e.id, e.kind)
                AND l.id = e.id AND l.kind = e.kind;
        END IF;
        IF NOT FOUND OR state.seq <> e.lift_of OR state.lift_of IS NOT NULL THEN
            misfit := true;
            SELECT l.seq INTO newest_seq FROM {schema}.log l
                WHERE l.newest AND hashtextextended(l.id, l.kind) = hashtextextended(e.id, e.kind)
                AND l.id = e.id AND l.kind = e.kind;
            RETURN;
        END IF;
    END LOOP;
    s := h.seq;
    t := uuid_send(h.tag);
    kept := untils;
    FOR e IN
        SELECT u.*, l.seq AS superseded, lead(u.n) OVER (scope ORDER BY u.n) IS NULL AS newest,
            -- Never shorter than what it supersedes, in the log or in this call.
            max(greatest(least(u.until, 9223372036854775807 - late) + late, l.remember_until)) OVER (scope ORDER BY u.n) AS kept
        FROM unnest(kinds, ids, lifts, untils, reasons, actors) WITH ORDINALITY
            AS u (kind, id, lift_of, until, reason, actor, n)
        LEFT JOIN {schema}.log l ON l.newest AND hashtextextended(l.id, l.kind) = hashtextextended(u.id, u.kind)
            AND l.id = u.id AND l.kind = u.kind
        WINDOW scope AS (PARTITION BY u.kind, u.id)
        ORDER BY u.n
    LOOP
        s := s + 1;
        -- `ChainTag::next`, byte for byte: the tag is made under the lock, and the lock never waits for a client.
        t := substring(sha256(
            t || int8send(s) || int8send(entry_at) || int8send(e.kept) || int8send(coalesce(e.lift_of, 0))
            || int8send(octet_length(words[e.kind + 1])) || convert_to(words[e.kind + 1], 'UTF8')
            || int8send(octet_length(e.id)) || convert_to(e.id, 'UTF8')
            || int8send(octet_length(e.reason)) || convert_to(e.reason, 'UTF8')
            || int8send(octet_length(e.actor)) || convert_to(e.actor, 'UTF8')
        ) FROM 1 FOR 16);
        tags[e.n] := encode(t, 'hex')::uuid;
        kept[e.n] := e.kept;
        newests[e.n] := e.newest;
        IF e.superseded IS NOT NULL THEN
            superseded := superseded || e.superseded;
        END IF;
    END LOOP;
    IF s <> h.seq + cardinality(ids) THEN
        RAISE EXCEPTION 'two entries of the log are the newest of one scope: reindex rescind.log_state, or restore a backup'
            USING ERRCODE = 'data_corrupted';
    END IF;
    IF superseded IS NOT NULL THEN
        UPDATE {schema}.log SET newest = false WHERE seq = ANY (superseded);
    END IF;
    INSERT INTO {schema}.log (seq, at, remember_until, tag, kind, newest, id, reason, actor, lift_of)
        SELECT h.seq + u.n, entry_at, u.kept, u.tag, u.kind, u.newest, u.id, u.reason, u.actor, u.lift_of
        FROM unnest(kinds, ids, lifts, kept, reasons, actors, tags, newests) WITH ORDINALITY
            AS u (kind, id, lift_of, kept, reason, actor, tag, newest, n);
    UPDATE {schema}.head SET seq = s, at = entry_at, tag = encode(t, 'hex')::uuid;
    PERFORM pg_notify({channel}, 'log');
END $$;

-- The head in each row, and the entries behind a position; one row without an entry where there are none. Stable: all of
-- it is of the calling statement's moment.
CREATE FUNCTION {schema}.after(given bigint, behind bigint, most bigint) RETURNS TABLE (
    incarnation uuid, head bigint, head_tag uuid, now bigint, base_seq bigint, base_tag uuid, prev_tag uuid,
    seq bigint, at bigint, kind smallint, id text, lift_of bigint, remember_until bigint, reason text, actor text, tag uuid
) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN QUERY
    SELECT h.incarnation, h.seq, h.tag, (SELECT {schema}.now_ms(given)), h.base_seq, h.base_tag, p.tag,
        l.seq, l.at, l.kind, l.id, l.lift_of, l.remember_until, l.reason, l.actor, l.tag
    FROM {schema}.head h
    LEFT JOIN {schema}.log p ON p.seq = behind
    LEFT JOIN LATERAL (
        SELECT * FROM {schema}.log e WHERE e.seq > behind AND behind BETWEEN h.base_seq AND h.seq
        ORDER BY e.seq LIMIT most
    ) l ON true
    WHERE h.one ORDER BY l.seq;
END $$;

-- Opens sessions in order; `opened` says of each whether its id was free.
CREATE FUNCTION {schema}.open(
    given bigint, sids uuid[], subjects text[], clients text[], classes text[], auth_times bigint[], idles bigint[],
    absolutes bigint[], devices text[], scopes text[], claimses text[],
    OUT at bigint, OUT head bigint, OUT opened boolean[]
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off AS $$
DECLARE
    e record;
    p integer;
BEGIN
    PERFORM {schema}.durably();
    -- The time first and the head after it: what is issued is dated no later than the cut-offs that were seen.
    at := coalesce(given, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    SELECT h.seq INTO STRICT head FROM {schema}.head h;
    FOR e IN
        SELECT u.* FROM unnest(sids, subjects, clients, classes, auth_times, idles, absolutes, devices, scopes, claimses)
            WITH ORDINALITY AS u (sid, subject, client, class, auth_time, idle, absolute, device, scope, claims, n)
        ORDER BY u.n
    LOOP
        SELECT f.id INTO p FROM {schema}.profiles f WHERE f.client = e.client AND f.class = e.class AND f.idle = e.idle;
        IF NOT FOUND THEN
            INSERT INTO {schema}.profiles (client, class, idle) VALUES (e.client, e.class, e.idle) ON CONFLICT DO NOTHING;
            SELECT f.id INTO STRICT p FROM {schema}.profiles f
                WHERE f.client = e.client AND f.class = e.class AND f.idle = e.idle;
        END IF;
        INSERT INTO {schema}.sessions (generation, rotated_at, position, opened_at, expires_at, sid, profile, subject,
            auth_time, device, scope, claims)
            VALUES (0, at, head, at, least(e.absolute, 9223372036854775807 - at) + at, e.sid, p, e.subject,
            CASE WHEN e.auth_time <> at THEN e.auth_time::text ELSE '' END, e.device, e.scope, e.claims)
            ON CONFLICT DO NOTHING;
        opened[e.n] := FOUND;
    END LOOP;
END $$;

-- Moves generations in order; `moved` says of each whether the row stood where it was expected. The log's head is not
-- touched: refreshing never waits for revoking.
CREATE FUNCTION {schema}.advance(
    given bigint, sids uuid[], froms bigint[], tos bigint[],
    OUT at bigint, OUT moved boolean[]
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off AS $$
DECLARE
    e record;
BEGIN
    PERFORM {schema}.durably();
    at := coalesce(given, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    FOR e IN SELECT u.* FROM unnest(sids, froms, tos) WITH ORDINALITY AS u (sid, was, will, n) ORDER BY u.n LOOP
        UPDATE {schema}.sessions SET generation = e.will, rotated_at = at WHERE sid = e.sid AND generation = e.was;
        moved[e.n] := FOUND;
    END LOOP;
END $$;

-- Sessions by their place in the list, each with what it has in common with others and the highest active cut-off above
-- its position. Stable: all of it is of the calling statement's moment. Planned once a connection: with the array's length
-- known the plan looks cheaper, and is made anew at each call for three times the work.
CREATE FUNCTION {schema}.load(wanted uuid[]) RETURNS TABLE (
    n bigint, sid uuid, generation bigint, rotated_at bigint, "position" bigint, opened_at bigint, auth_time bigint,
    idle bigint, expires_at bigint, subject text, client text, class text, device text, scope text, claims text,
    cut_seq bigint, cut_at bigint, cut_kind smallint, cut_id text
) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM {schema}.from_primary();
    RETURN QUERY
    SELECT w.n, s.sid, s.generation, s.rotated_at, s.position, s.opened_at,
        coalesce(nullif(s.auth_time, '')::bigint, s.opened_at), p.idle, s.expires_at, s.subject,
        p.client, p.class, s.device, s.scope, s.claims, c.seq, c.at, c.kind, c.id
    FROM unnest(wanted) WITH ORDINALITY AS w (sid, n)
    JOIN {schema}.sessions s ON s.sid = w.sid
    LEFT JOIN {schema}.profiles p ON p.id = s.profile
    LEFT JOIN LATERAL (
        SELECT l.seq, l.at, l.kind, l.id FROM {schema}.log l
        WHERE l.newest AND l.lift_of IS NULL AND l.seq > s.position
        AND hashtextextended(l.id, l.kind) = ANY (ARRAY[
            hashtextextended(s.sid::text, 1), hashtextextended(s.subject, 2), hashtextextended(p.client, 3),
            hashtextextended('', 5)])
        AND (l.kind = 1 AND l.id = s.sid::text OR l.kind = 2 AND l.id = s.subject
            OR l.kind = 3 AND l.id = p.client OR l.kind = 5)
        ORDER BY l.seq DESC LIMIT 1
    ) c ON true;
END $$;

-- The ids of a subject's sessions from the newest, so that a page is read along the index.
CREATE FUNCTION {schema}.sessions_of(name text, behind uuid, most bigint) RETURNS TABLE (n bigint, found uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off AS $$
BEGIN
    PERFORM {schema}.from_primary();
    RETURN QUERY
    SELECT row_number() OVER (), f.sid FROM (
        SELECT s.sid FROM {schema}.sessions s
        WHERE hashtextextended(s.subject, 0) = hashtextextended(name, 0) AND s.subject = name
        AND (behind IS NULL OR s.sid < behind)
        ORDER BY hashtextextended(s.subject, 0) DESC, s.sid DESC LIMIT most
    ) f;
END $$;

-- Writes records in order where each still has the version that was expected; 0 stands for "there is none".
CREATE FUNCTION {schema}.put(kinds text[], ids text[], expecteds bigint[], bodies bytea[], ends_at bigint[],
    OUT written boolean[]
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off AS $$
DECLARE
    e record;
BEGIN
    PERFORM {schema}.durably();
    FOR e IN
        SELECT u.* FROM unnest(kinds, ids, expecteds, bodies, ends_at)
            WITH ORDINALITY AS u (kind, id, expected, body, ends, n)
        ORDER BY u.n
    LOOP
        IF e.expected = 0 THEN
            INSERT INTO {schema}.records (version, ends, kind, id, body) VALUES (1, e.ends, e.kind, e.id, e.body)
                ON CONFLICT DO NOTHING;
        ELSE
            UPDATE {schema}.records SET version = e.expected + 1, ends = e.ends, body = e.body
                WHERE kind = e.kind AND id = e.id AND version = e.expected;
        END IF;
        written[e.n] := FOUND;
    END LOOP;
END $$;

CREATE FUNCTION {schema}.reincarnate(lost uuid, new uuid, new_tag uuid, ahead bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {schema}.durably();
    UPDATE {schema}.head SET incarnation = new, seq = ahead, tag = new_tag, base_seq = ahead, base_tag = new_tag
        WHERE incarnation = lost AND seq < ahead;
    IF FOUND THEN
        PERFORM pg_notify({channel}, 'log');
    END IF;
    RETURN FOUND;
END $$;

-- Forgets at most `most` rows that ended before `before`. What another sweep holds already is left to it. The log is
-- touched under the head's lock and from its front only: a hole would look like lost history.
CREATE FUNCTION {schema}.sweep(before bigint, most bigint,
    OUT sessions bigint, OUT records bigint, OUT scopes bigint, OUT entries bigint
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off AS $$
DECLARE
    h record;
    e record;
    until_seq bigint;
    until_tag uuid;
BEGIN
    PERFORM {schema}.durably();
    records := 0;
    scopes := 0;
    entries := 0;
    DELETE FROM {schema}.sessions d WHERE d.sid = ANY (ARRAY(
        SELECT s.sid FROM {schema}.sessions s
        WHERE (s.expires_at >> 16) <= (before >> 16) AND s.expires_at < before
        ORDER BY (s.expires_at >> 16) LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS sessions = ROW_COUNT;
    IF sessions < most THEN
        DELETE FROM {schema}.records d USING (
            SELECT r.kind, r.id FROM {schema}.records r
            WHERE r.ends < before ORDER BY r.ends LIMIT most - sessions FOR UPDATE SKIP LOCKED) AS due
            WHERE d.kind = due.kind AND d.id = due.id;
        GET DIAGNOSTICS records = ROW_COUNT;
    END IF;
    IF sessions + records >= most OR NOT EXISTS (
        SELECT 1 FROM {schema}.log l
        WHERE l.newest AND (l.remember_until >> 16) <= (before >> 16) AND l.remember_until < before
        UNION ALL
        SELECT 1 FROM (SELECT l.remember_until FROM {schema}.log l ORDER BY l.seq LIMIT 1) f WHERE f.remember_until < before)
    THEN
        RETURN;
    END IF;
    SELECT * INTO STRICT h FROM {schema}.head FOR NO KEY UPDATE;
    -- The row stays in the log; it is only its scope's state no more.
    UPDATE {schema}.log u SET newest = false WHERE u.seq = ANY (ARRAY(
        SELECT l.seq FROM {schema}.log l
        WHERE l.newest AND (l.remember_until >> 16) <= (before >> 16) AND l.remember_until < before
        ORDER BY (l.remember_until >> 16) LIMIT most - sessions - records));
    GET DIAGNOSTICS scopes = ROW_COUNT;
    FOR e IN SELECT l.seq, l.tag, l.remember_until FROM {schema}.log l ORDER BY l.seq LIMIT most - sessions - records - scopes
    LOOP
        EXIT WHEN e.remember_until >= before;
        until_seq := e.seq;
        until_tag := e.tag;
    END LOOP;
    IF until_seq IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM {schema}.log WHERE seq <= until_seq;
    GET DIAGNOSTICS entries = ROW_COUNT;
    -- Rows of an earlier incarnation lie before the base already.
    IF until_seq > h.base_seq THEN
        UPDATE {schema}.head SET base_seq = until_seq, base_tag = until_tag;
    END IF;
END $$;

-- Writes a little, durably, to find out whether there is room.
CREATE FUNCTION {schema}.probe() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {schema}.durably();
    UPDATE {schema}.head SET probes = probes + 1;
END $$;

-- For people with psql.
CREATE VIEW {schema}.log_readable AS
SELECT seq, to_timestamp(at / 1000.0) AS at,
    CASE WHEN lift_of IS NULL THEN 'cut-off' ELSE 'lift of ' || lift_of END AS act,
    (ARRAY['token', 'session', 'subject', 'client', 'key', 'all'])[kind + 1] AS kind, id, reason, actor,
    CASE WHEN remember_until < 253402300800000 THEN to_timestamp(remember_until / 1000.0) ELSE 'infinity' END AS remember_until,
    CASE WHEN NOT newest THEN 'superseded or forgotten' WHEN lift_of IS NULL THEN 'active' ELSE 'lifted' END AS state, tag
FROM {schema}.log;

CREATE VIEW {schema}.sessions_readable AS
SELECT s.sid, s.subject, p.client, p.class, nullif(substr(s.device, 2), '') AS device, s.generation,
    to_timestamp(s.opened_at / 1000.0) AS opened_at, to_timestamp(s.rotated_at / 1000.0) AS rotated_at,
    to_timestamp(least(s.expires_at, s.rotated_at + least(p.idle, 253402300800000), 253402300800000) / 1000.0) AS ends_at,
    s.position, nullif(substr(s.scope, 2), '') AS scope, nullif(substr(s.claims, 2), '') AS claims
FROM {schema}.sessions s JOIN {schema}.profiles p ON p.id = s.profile;

-- Revocations that applications ask for inside their own transactions; a node moves each to the log.
CREATE TABLE {schema}.inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity', -- until then another node is at it
    kind smallint NOT NULL CHECK (kind BETWEEN 0 AND 5),
    scope_id text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    actor text COLLATE "C" NOT NULL,
    refused text -- why it was set aside, as what cannot be read is; NULL again, and it is tried again
);

-- Asks for a revocation. It is part of the calling transaction: rolled back with it, and it counts within milliseconds
-- after its commit, when a node has moved it to the log; revoked() tells. Returns the request's number. Whatever could
-- fail later fails here, in the caller's transaction. A role needs USAGE on the schema and EXECUTE on this, no table.
CREATE FUNCTION {schema}.revoke(
    scope_kind text, scope_id text, reason text DEFAULT 'revoked by the application', actor text DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number CONSTANT smallint := array_position(ARRAY['token', 'session', 'subject', 'client', 'key', 'all'], scope_kind) - 1;
    who CONSTANT text := coalesce(actor, session_user::text);
    control CONSTANT text := '[\u0001-\u001f\u007f-\u009f]';
    is_fit boolean;
    request bigint;
BEGIN
    IF number IS NULL THEN
        RAISE EXCEPTION 'unknown scope kind %; one of token, session, subject, client, key, all', quote_nullable(scope_kind)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    scope_id := coalesce(scope_id, '');
    is_fit := CASE
        WHEN number = 5 THEN scope_id = ''
        WHEN scope_id ~ control THEN false
        WHEN number > 1 THEN octet_length(scope_id) BETWEEN 1 AND 255
        ELSE scope_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
            OR scope_id ~ '^https?://[^ ]* .' AND octet_length(scope_id) <= 1024
    END;
    IF NOT is_fit THEN
        RAISE EXCEPTION 'not the id of a %: %', scope_kind, quote_literal(scope_id)
            USING ERRCODE = 'invalid_parameter_value',
            HINT = 'token, session: a UUID in lower case, or issuer, blank and name; all: empty; else 1 to 255 bytes';
    END IF;
    IF reason IS NULL OR reason = '' OR length(reason) > 200 OR reason ~ control THEN
        RAISE EXCEPTION 'reason must be 1 to 200 characters without control characters'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- The request's number comes behind it.
    IF who = '' OR length(who) > 160 OR who ~ control THEN
        RAISE EXCEPTION 'actor must be 1 to 160 characters without control characters'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO {schema}.inbox AS i (kind, scope_id, reason, actor)
        VALUES (number, revoke.scope_id, revoke.reason, who) RETURNING i.id INTO request;
    PERFORM pg_notify({channel}, 'inbox');
    RETURN request;
END $$;

-- Whether a request was moved: from then on nothing that it covers is accepted by that node, nor by any other beyond the
-- staleness bound. True also for a number that was never given, or was rolled back. Only after the commit it can be true.
-- Never for one that was set aside.
CREATE FUNCTION {schema}.revoked(request bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT 1 FROM {schema}.inbox i WHERE i.id = request)
$$;

-- Nobody but whom the owner names.
REVOKE ALL ON FUNCTION {schema}.revoke(text, text, text, text), {schema}.revoked(bigint) FROM PUBLIC;

-- Claims requests for 5 s, each with whether its cut-off is its scope's newest entry already. The actor carries the
-- request's number, by which a claimer that died between move and removal is found out.
CREATE FUNCTION {schema}.inbox_claim(most bigint) RETURNS TABLE (
    id bigint, kind smallint, scope_id text, reason text, actor text, moved boolean
) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET jit = off SET enable_seqscan = off AS $$
BEGIN
    PERFORM {schema}.durably();
    IF NOT EXISTS (SELECT 1 FROM {schema}.inbox i WHERE i.refused IS NULL AND i.claimed_until < clock_timestamp()) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH claimed AS (
        UPDATE {schema}.inbox u SET claimed_until = clock_timestamp() + interval '5 s'
        WHERE u.id = ANY (ARRAY(
            SELECT i.id FROM {schema}.inbox i WHERE i.refused IS NULL AND i.claimed_until < clock_timestamp()
            ORDER BY i.id LIMIT most FOR UPDATE SKIP LOCKED))
        RETURNING u.id, u.kind, u.scope_id, u.reason, u.actor || ' (inbox ' || u.id || ')' AS actor
    )
    SELECT c.id, c.kind, c.scope_id, c.reason, c.actor, EXISTS (
        SELECT 1 FROM {schema}.log l
        WHERE l.newest AND hashtextextended(l.id, l.kind) = hashtextextended(c.scope_id, c.kind)
        AND l.id = c.scope_id AND l.kind = c.kind AND l.actor = c.actor)
    FROM claimed c ORDER BY c.id;
END $$;

CREATE FUNCTION {schema}.inbox_done(ids bigint[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {schema}.durably();
    DELETE FROM {schema}.inbox WHERE id = ANY (ids);
END $$;

-- Sets requests aside, each with its reason, so that they hold up none behind them. They stay until somebody looks.
CREATE FUNCTION {schema}.inbox_refuse(ids bigint[], reasons text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {schema}.durably();
    UPDATE {schema}.inbox u SET refused = r.reason
    FROM unnest(ids, reasons) AS r (id, reason) WHERE u.id = r.id;
END $$;
