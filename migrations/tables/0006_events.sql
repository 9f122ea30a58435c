-- The log of events. An event is written once and never changed: what is known of it later (a hold, how far records were made
-- of it, what of its chain is gone) is in other tables.
--
-- `sequence` is the position in the log, made like the ids of records (tables/0001_tables.sql), so that it tells the month in
-- which an event came. The events of a correlation are a chain: each has the hash of the one before it.

CREATE TABLE audit_event (
    sequence            bigint      NOT NULL,
    chain_sequence      bigint      NOT NULL, -- 1 for the first event of the chain
    event_timestamp     timestamptz NOT NULL, -- as the client says
    event_id            uuid        NOT NULL,
    retention_days      integer     NOT NULL,
    duration_ms         integer,
    is_sensitive        boolean     NOT NULL,
    readable            boolean     NOT NULL, -- false: only those see it who ask for what old readers cannot decode
    clock_skew          boolean     NOT NULL,
    correlation_id      text        NOT NULL,
    version             text        NOT NULL,
    event_type          text        NOT NULL,
    event_category      text        NOT NULL,
    event_action        text        NOT NULL,
    event_outcome       text        NOT NULL,
    severity            text        NOT NULL,
    actor_type          text        NOT NULL,
    actor_id            text        NOT NULL,
    actor_ip            text,
    resource_type       text        NOT NULL,
    resource_id         text        NOT NULL,
    namespace           text,
    cluster_id          text,
    error_code          text,
    error_message       text,
    -- Texts, as the hash covers them.
    parent_event_id     text,
    parent_event_date   text,
    hash_algorithm      text        NOT NULL,
    chain_key_id        text,                 -- null: without a key
    event_hash          bytea       NOT NULL,
    previous_event_hash bytea       NOT NULL, -- zeros for the first event of the chain
    -- As it came. What is stored as jsonb comes back with other numbers (1e2 as 100) and in another order.
    event_data          json        NOT NULL,
    extra               json,                 -- what nobody knows of the envelope
    PRIMARY KEY (sequence)
) PARTITION BY RANGE (sequence);

CREATE INDEX audit_event_correlation ON audit_event (correlation_id, sequence);

-- Few of a correlation's events, which are asked for alone.
CREATE INDEX audit_event_effect ON audit_event (correlation_id, sequence) WHERE readable AND event_category = 'effectiveness';

-- For lists without a correlation. With the columns that they may ask for beside the key, what matches is found and counted
-- without reading events.
CREATE INDEX audit_event_time ON audit_event (event_timestamp, sequence)
    INCLUDE (readable, event_type, event_category, event_outcome, severity);

-- Written once: whatever statement would change it fails.
CREATE FUNCTION audit_event_stays() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'events are neither changed nor deleted, but % was to happen to %', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_event_stays BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_stays();
-- Each partition has one of its own: triggers of statements are not handed down.
CREATE TRIGGER audit_event_stays_whole BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_stays();

-- The head of each chain, kept apart from the events so that a removed last one shows. Never deleted, as natural keys are not:
-- a chain whose events are gone goes on from here.
CREATE TABLE audit_event_chain (
    correlation_id  text   PRIMARY KEY,
    chain_sequence  bigint NOT NULL,           -- of the last event
    event_hash      bytea  NOT NULL,           -- of the last event
    -- Between these are the positions of its events, so only those months are looked at.
    first_sequence  bigint NOT NULL,
    last_sequence   bigint NOT NULL,
    -- The last event that retention has dropped: all after it are there.
    anchor_sequence bigint NOT NULL DEFAULT 0, -- its `chain_sequence`; 0: none was dropped
    anchor_hash     bytea,
    projected       bigint NOT NULL DEFAULT 0  -- the `chain_sequence` up to which records were made of the chain
)
-- Room beside each row for its next version: a chain grows while its remediation is under way.
WITH (fillfactor = 70);

-- The batches of the last 24 hours, by which a retry is recognised.
CREATE TABLE audit_event_batch (
    key        bytea       PRIMARY KEY, -- SHA-256 of the caller and the batch
    event_ids  uuid[]      NOT NULL,    -- of all that it has, in its order
    written_at timestamptz NOT NULL
);
CREATE INDEX audit_event_batch_written_at ON audit_event_batch (written_at);

-- What could not be an event, as it came.
CREATE TABLE audit_event_quarantine (
    event_id uuid    PRIMARY KEY, -- as the client was told
    id       bigint  NOT NULL,    -- made like those of records, so that it tells when it came
    position integer NOT NULL,    -- in its batch, from 0
    field    text    NOT NULL,
    reason   text    NOT NULL,
    message  text    NOT NULL,
    caller   text,                -- the full user name; null while nobody is identified
    text     text    NOT NULL     -- its JSON
);
CREATE INDEX audit_event_quarantine_id ON audit_event_quarantine (id);

-- Where remediations began to work on what. Targets and hashes by their SHA-256, because a client may send texts that are too
-- long for an index.
CREATE TABLE audit_event_target (
    correlation_id  text        NOT NULL,
    sequence        bigint      NOT NULL, -- of the event
    target          bytea       NOT NULL,
    event_timestamp timestamptz NOT NULL,
    cluster_id      text,
    spec_hash       bytea,                -- before the remediation
    PRIMARY KEY (correlation_id, sequence)
);
CREATE INDEX audit_event_target_target ON audit_event_target (target, event_timestamp);

-- The hashes of specifications after remediations.
CREATE TABLE audit_event_spec_hash (
    correlation_id text   NOT NULL,
    spec_hash      bytea  NOT NULL,
    sequence       bigint NOT NULL, -- of the last event that says so
    PRIMARY KEY (correlation_id, spec_hash)
);

-- The chains that have events of which records are yet to be made. A chain is here once, however many there are.
CREATE TABLE audit_event_pending (
    correlation_id text        PRIMARY KEY,
    since          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY, -- the first to come are the first to be seen to
    claimed_until  timestamptz NOT NULL DEFAULT '-infinity'           -- until then somebody sees to it
);
CREATE INDEX audit_event_pending_since ON audit_event_pending (since);

-- Which correlations are, or were, held: none of their events is dropped. What happened to it before is in the chain.
CREATE TABLE audit_legal_hold (
    correlation_id   text        PRIMARY KEY,
    reason           text        NOT NULL,
    placed_by        text        NOT NULL,
    placed_at        timestamptz NOT NULL,
    placing_event    uuid        NOT NULL,
    released_by      text,
    released_at      timestamptz, -- null: it is held
    releasing_event  uuid,
    events_released  bigint,
    revision         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY -- a new one with each change
);

-- What retention knows of a month of events.
CREATE TABLE audit_event_month (
    month   date    PRIMARY KEY, -- its first day
    longest integer NOT NULL,    -- the most days that one of its events is to be kept
    -- Its events are about to be taken out. One that comes to it undoes that.
    leaving boolean NOT NULL DEFAULT false,
    -- They were taken out, and what is there now stays: it is held, or
    settled boolean NOT NULL DEFAULT false,
    -- of chains that have older events, so that no chain has a hole.
    waiting boolean NOT NULL DEFAULT false
);

-- The month that is on its way out: there is at most one.
CREATE TABLE audit_event_leaving (
    leaf              text    PRIMARY KEY,
    hold_revision     bigint,                      -- of the last change of a hold before it began; null: it has not begun
    -- Which events were seen to: those of correlations before this one, and of this one up to that position.
    after_correlation text    NOT NULL DEFAULT '',
    after_sequence    bigint  NOT NULL DEFAULT 0,
    events            bigint  NOT NULL DEFAULT 0,  -- how many go
    kept              bigint  NOT NULL DEFAULT 0,  -- how many stay
    waiting           boolean NOT NULL DEFAULT false,
    gone              boolean NOT NULL DEFAULT false, -- those that go are no longer in `audit_event`
    batch             integer NOT NULL DEFAULT 2000   -- events of the next step: fewer after one that took too long
);

-- The last event that a chain loses with it. That counts once the events are gone, and is noted in `audit_event_chain` then.
CREATE TABLE audit_event_anchor (
    correlation_id text   PRIMARY KEY,
    chain_sequence bigint NOT NULL,
    event_hash     bytea  NOT NULL
);

-- An event, as the JSON of one has it that is to be written. Hashes are in hexadecimal digits.
CREATE TYPE audit_event_post AS (
    sequence            bigint,
    chain_sequence      bigint,
    event_timestamp     timestamptz,
    event_id            uuid,
    retention_days      integer,
    duration_ms         integer,
    is_sensitive        boolean,
    readable            boolean,
    clock_skew          boolean,
    correlation_id      text,
    version             text,
    event_type          text,
    event_category      text,
    event_action        text,
    event_outcome       text,
    severity            text,
    actor_type          text,
    actor_id            text,
    actor_ip            text,
    resource_type       text,
    resource_id         text,
    namespace           text,
    cluster_id          text,
    error_code          text,
    error_message       text,
    parent_event_id     text,
    parent_event_date   text,
    hash_algorithm      text,
    chain_key_id        text,
    event_hash          text,
    previous_event_hash text,
    event_data          json,
    extra               json
);

-- What the events of a batch do to a chain.
CREATE TYPE audit_event_growth AS (
    correlation_id      text,
    length_before       bigint,
    hash_before         bytea,
    length_after        bigint,
    hash_after          bytea,
    first_sequence      bigint,
    last_sequence       bigint
);
