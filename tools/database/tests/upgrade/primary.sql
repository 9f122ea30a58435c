-- The primary as the migrations of commit 3757e32 left it, in one file: their texts, in order, and what the runner of
-- that commit recorded. The test fills in the placeholders as that runner did.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE schema_migration (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_setting (
    name  text PRIMARY KEY,
    value text NOT NULL
);
INSERT INTO audit_setting VALUES ('embedding_dimensions', '{{embedding_dimensions}}');

-- migrations/0001_tables.sql
BEGIN;
-- The tables of the audit store.
--
-- A record belongs to a kind and carries its time in its id:
--   id = milliseconds since 2024-01-01 UTC << 12 | a sequence of 12 bits
-- so that newest-first is the key's own order, a time range is an id range, and a month is a
-- partition. Ids stay below 2^53 until 2093, so JavaScript reads them exactly.

CREATE SEQUENCE audit_id_sequence MINVALUE 0 MAXVALUE 4095 CYCLE;

-- The lowest id of the millisecond that `at` falls into.
CREATE FUNCTION audit_id_at(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (floor(extract(epoch FROM at) * 1000)::bigint - 1704067200000) << 12;

-- The time that an id carries, to the millisecond.
CREATE FUNCTION audit_id_time(id bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_timestamp(((id >> 12) + 1704067200000) / 1000::double precision);

-- A new id. Two calls in one millisecond differ in the sequence's bits.
CREATE FUNCTION audit_next_id() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (floor(date_part('epoch', clock_timestamp()) * 1000)::bigint - 1704067200000) << 12
    | nextval('audit_id_sequence');

CREATE TABLE audit (
    kind                   text        NOT NULL,
    id                     bigint      NOT NULL,
    name                   text        NOT NULL,
    namespace              text,
    phase                  text,
    status                 text,
    action_type            text,
    alert_name             text,
    alert_fingerprint      text,
    severity               text,
    environment            text,
    cluster_name           text,
    target_resource        text,
    remediation_request_id text,
    correlation_id         text,
    start_time             timestamptz,
    end_time               timestamptz,
    duration               bigint,     -- milliseconds
    error_message          text,
    analysis_type          text,
    confidence_score       double precision,
    findings               jsonb,
    workflow_type          text,
    steps_completed        bigint,
    steps_total            bigint,
    action                 text,
    resource               text,
    metadata               jsonb,
    document               jsonb       NOT NULL, -- members without a column, as they came
    embedding              vector({{embedding_dimensions}}), -- no index: searches read `audit_vector`
    embedding_model        text,       -- what made `embedding`; '' if there is nothing to embed; null: to be embedded
    created_at             timestamptz NOT NULL, -- the time in the id
    updated_at             timestamptz NOT NULL,
    deleted_at             timestamptz,          -- set: hidden from every read but `versions`
    version                integer     NOT NULL, -- 1 for a new record, one more with every change
    state_rank             smallint,   -- 0 pending, 1 under way, 2 finished; null: no state yet
    name_is_stand_in       boolean     NOT NULL, -- a compact post's id in place of a name
    content_hash           bytea       NOT NULL, -- SHA-256 of the content last accepted
    changed_by             text,       -- who made this version; null while nobody is identified
    PRIMARY KEY (kind, id)
) PARTITION BY LIST (kind);

CREATE TABLE remediation_audit PARTITION OF audit
    FOR VALUES IN ('remediation') PARTITION BY RANGE (id);
CREATE TABLE ai_analysis_audit PARTITION OF audit
    FOR VALUES IN ('aianalysis') PARTITION BY RANGE (id);
CREATE TABLE workflow_audit PARTITION OF audit
    FOR VALUES IN ('workflow') PARTITION BY RANGE (id);
CREATE TABLE execution_audit PARTITION OF audit
    FOR VALUES IN ('execution') PARTITION BY RANGE (id);

-- One for each filter that selects few rows. Those with a handful of values (phase, status,
-- severity, environment) are checked while walking the key; correlation and remediation request
-- go through `audit_correlation`.
--
-- The one on namespaces, which most lists ask for, has these columns beside the key: lists filtered by both find
-- and count what matches without reading records.
CREATE INDEX audit_namespace         ON audit (namespace, id) INCLUDE (severity, status, phase, environment)
    WHERE deleted_at IS NULL;
CREATE INDEX audit_name              ON audit (name, id);
CREATE INDEX audit_alert_name        ON audit (alert_name, id) WHERE alert_name IS NOT NULL;
CREATE INDEX audit_alert_fingerprint ON audit (alert_fingerprint, id) WHERE alert_fingerprint IS NOT NULL;
CREATE INDEX audit_cluster_name      ON audit (cluster_name, id) WHERE cluster_name IS NOT NULL;
CREATE INDEX audit_action_type       ON audit (action_type, id) WHERE action_type IS NOT NULL;

-- What is to be embedded: what has no model yet, the newest first, and every model but the present one.
CREATE INDEX audit_not_embedded    ON audit (id) WHERE embedding_model IS NULL;
CREATE INDEX audit_embedding_model ON audit (embedding_model) WHERE embedding_model > '';

-- The vectors that searches look at: those of visible records, each in one of two tables. They are not
-- indexed in `audit` itself, where every change of a record would insert into the HNSW index anew.
--
-- The indexed part.
CREATE TABLE audit_vector (
    kind      text   NOT NULL,
    id        bigint NOT NULL,
    model     text   NOT NULL,
    embedding vector({{embedding_dimensions}}) NOT NULL,
    PRIMARY KEY (kind, id)
) PARTITION BY RANGE (id);

CREATE INDEX audit_vector_embedding ON audit_vector
    USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64);

-- For searches while a new model has few vectors yet.
CREATE INDEX audit_vector_model ON audit_vector (model);

-- A vector as searches scan it: of length 1, in half precision if pgvector has that (since 0.7), which is half
-- the memory to read. Null if it has no direction.
CREATE FUNCTION audit_sketch(embedding vector) RETURNS {{sketch_type}}
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN vector_norm(embedding) > 0 THEN {{sketch_of_embedding}} END;

-- Where new vectors land. Searches scan it, so it has no HNSW index, and writes do not wait for one. The
-- sketch comes first and stays in its row. The vector itself is too long for that: it is stored apart and
-- read only for what the sketch says is near.
CREATE TABLE audit_vector_tail (
    sketch    {{sketch_type}}({{embedding_dimensions}}) GENERATED ALWAYS AS (audit_sketch(embedding)) STORED,
    kind      text   NOT NULL,
    id        bigint NOT NULL,
    model     text   NOT NULL,
    embedding vector({{embedding_dimensions}}) NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Every vector that searches look at, wherever it is.
CREATE VIEW audit_searchable AS
SELECT kind, id, model, embedding FROM audit_vector
UNION ALL
SELECT kind, id, model, embedding FROM audit_vector_tail;

-- The records whose state the vector database has yet to be told. It is read when it is delivered, so
-- a record is here once however often it changes; `revision` tells an earlier state from a later one.
CREATE TABLE audit_outbox (
    kind          text        NOT NULL,
    id            bigint      NOT NULL,
    revision      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity', -- until then somebody is delivering it
    PRIMARY KEY (kind, id)
);

CREATE INDEX audit_outbox_revision ON audit_outbox (revision);

-- Whether the vector database, together with the outbox, has every record: true until one is written
-- without it, null while `cargo xtask backfill` makes up for that.
CREATE TABLE audit_mirror (
    complete boolean
);
INSERT INTO audit_mirror VALUES (true);

-- Natural keys. Not partitioned and never dropped: a key is unique for ever.
CREATE TABLE audit_key (
    kind text   NOT NULL,
    key  bytea  NOT NULL, -- SHA-256 of the natural key
    id   bigint NOT NULL,
    PRIMARY KEY (kind, key)
);

-- Which records belong to a correlation id or a remediation request. Not partitioned, because
-- such a question knows no time.
CREATE TABLE audit_correlation (
    key  text   NOT NULL,
    kind text   NOT NULL,
    id   bigint NOT NULL,
    PRIMARY KEY (key, kind, id)
);

-- The states a record has left, by the month of the record, so that they go with it.
CREATE TABLE audit_version (
    kind         text        NOT NULL,
    id           bigint      NOT NULL,
    version      integer     NOT NULL,
    content_hash bytea       NOT NULL,
    state        jsonb       NOT NULL, -- as the API showed it
    PRIMARY KEY (kind, id, version)
) PARTITION BY RANGE (id);

INSERT INTO schema_migration (version, name, sha256) VALUES
    (1, '0001_tables', '5b1df36c8b86feb666cb60ca35b4c1903a5c98129b2188273180963b0de44102');
COMMIT;

-- migrations/0002_partitions.sql
BEGIN;
-- Partitions appear ahead of time and leave as a whole.

-- What `SET search_path FROM CURRENT` keeps below: the schema of the tables, and temporary tables last,
-- so that nobody's temporary table can stand in for one of ours in a function with its owner's
-- rights.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- The tables that have a partition for each month.
CREATE FUNCTION audit_monthly_tables() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY[
    'remediation_audit', 'ai_analysis_audit', 'workflow_audit', 'execution_audit',
    'audit_version', 'audit_vector'
];

-- Makes the partitions of the month of `at` and of the `ahead` months after it, where they are
-- missing, and returns how many it made. Cheap when there is nothing to do, safe to call from many
-- places at once. Runs with its owner's rights, so that the service needs none to create tables.
CREATE FUNCTION audit_ensure_partitions(
    ahead integer DEFAULT 3,
    at timestamptz DEFAULT clock_timestamp()
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    parent text;
    leaf   text;
    start  timestamp;
    made   integer := 0;
BEGIN
    FOREACH parent IN ARRAY audit_monthly_tables() LOOP
        FOR month IN 0..ahead LOOP
            start := date_trunc('month', at AT TIME ZONE 'UTC') + make_interval(months => month);
            leaf := parent || to_char(start, '_YYYY_MM');
            CONTINUE WHEN to_regclass(quote_ident(leaf)) IS NOT NULL;

            -- Asked again once nobody else makes partitions, and of the table this time:
            -- `to_regclass` may still answer from a cache.
            PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partitions'));
            CONTINUE WHEN EXISTS (
                SELECT
                FROM pg_inherits AS i
                JOIN pg_class AS c ON c.oid = i.inhrelid
                WHERE i.inhparent = parent::regclass AND c.relname = leaf
            );

            -- Created apart and then attached: `PARTITION OF` would lock out every reader and
            -- writer of the parent, `ATTACH` lets them go on.
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', leaf, parent);
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                parent, leaf,
                audit_id_at(start AT TIME ZONE 'UTC'),
                audit_id_at((start + interval '1 month') AT TIME ZONE 'UTC')
            );
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;

-- Retention: drops the partitions whose whole month lies before `before` and returns their names.
-- Natural keys stay, so a late replay of a dropped record is recognised and not stored again.
CREATE FUNCTION audit_drop_partitions(before timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    parent  text;
    leaf    text;
    horizon text := to_char(date_trunc('month', before AT TIME ZONE 'UTC'), '_YYYY_MM');
    horizon_id bigint := audit_id_at(date_trunc('month', before AT TIME ZONE 'UTC') AT TIME ZONE 'UTC');
BEGIN
    FOREACH parent IN ARRAY audit_monthly_tables() LOOP
        FOR leaf IN
            SELECT c.relname
            FROM pg_inherits AS i
            JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = parent::regclass
                AND c.relname < parent || horizon
            ORDER BY c.relname
        LOOP
            EXECUTE format('DROP TABLE %I', leaf);
            RETURN NEXT leaf;
        END LOOP;
    END LOOP;
    DELETE FROM audit_correlation WHERE id < horizon_id;
    DELETE FROM audit_vector_tail WHERE id < horizon_id;
    DELETE FROM audit_outbox WHERE id < horizon_id;
END
$$;

SELECT audit_ensure_partitions();

INSERT INTO schema_migration (version, name, sha256) VALUES
    (2, '0002_partitions', '1f49636bcf0009cd2e5559c4d1c49a0d24e88ffcbeb985f6417cdc7b722c8c74');
COMMIT;

-- migrations/0003_reading.sql
BEGIN;
-- What readers see. The API hands these rows on as JSON, so names, order and formats here are the
-- API's.

-- RFC 3339 in UTC with a trailing Z, the fraction trimmed. `to_json` rather than a cast: it does
-- not depend on DateStyle.
CREATE FUNCTION audit_rfc3339(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (to_json(at AT TIME ZONE 'UTC') #>> '{}') || 'Z';

-- A record in the API.
CREATE TYPE audit_shown AS (
    kind                   text,
    id                     bigint,
    name                   text,
    namespace              text,
    phase                  text,
    status                 text,
    action_type            text,
    alert_name             text,
    alert_fingerprint      text,
    severity               text,
    environment            text,
    cluster_name           text,
    target_resource        text,
    remediation_request_id text,
    correlation_id         text,
    start_time             text,
    end_time               text,
    duration               bigint,
    error_message          text,
    analysis_type          text,
    confidence_score       double precision,
    findings               jsonb,
    workflow_type          text,
    steps_completed        bigint,
    steps_total            bigint,
    action                 text,
    resource               text,
    metadata               jsonb,
    document               jsonb,
    embedding_model        text,
    version                integer,
    created_at             text,
    updated_at             text
);

-- A record as JSON. Not declared strict, so that it is inlined and reads the columns directly. Made of a row, which
-- takes a quarter less than `json_build_object` with all names and values.
CREATE FUNCTION audit_json(a audit) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN row_to_json(ROW(
    a.kind, a.id, a.name, a.namespace, a.phase, a.status, a.action_type, a.alert_name, a.alert_fingerprint,
    a.severity, a.environment, a.cluster_name, a.target_resource, a.remediation_request_id, a.correlation_id,
    audit_rfc3339(a.start_time), audit_rfc3339(a.end_time), a.duration, a.error_message, a.analysis_type,
    a.confidence_score, a.findings, a.workflow_type, a.steps_completed, a.steps_total, a.action, a.resource,
    a.metadata, a.document, nullif(a.embedding_model, ''), a.version, audit_rfc3339(a.created_at),
    audit_rfc3339(a.updated_at)
)::audit_shown);

-- A state of a record in the list of its versions.
CREATE FUNCTION audit_state_json(a audit) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN audit_json(a)::jsonb || jsonb_build_object(
    'deleted_at', audit_rfc3339(a.deleted_at),
    'changed_by', a.changed_by
);

-- A remediation as an incident. What only some clients send is in the document, under either
-- spelling.
CREATE FUNCTION incident_json(a audit) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', a.id,
    'action_history_id', a.document -> 'action_history_id',
    'action_id', coalesce(a.document ->> 'action_id', a.document ->> 'actionId', a.remediation_request_id),
    'alert_name', a.alert_name,
    'alert_severity', a.severity,
    'action_type', a.action_type,
    'action_timestamp', audit_rfc3339(a.start_time),
    'model_used', coalesce(a.document ->> 'model_used', a.document ->> 'llmModel'),
    'model_confidence', a.confidence_score,
    'execution_status', a.status,
    'namespace', a.namespace,
    'cluster', a.cluster_name,
    'environment', a.environment,
    'target_resource', a.target_resource
);

-- How large a page of records may become, in bytes. Spin refuses results of more than 128 MiB; a page
-- that would be larger than this ends early, and the reader goes on from there.
CREATE FUNCTION audit_page_bytes() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 32 * 1024 * 1024;

-- A filter as SQL about `a`, a row of `audit`: ` AND …` for each of its members. They are columns and the
-- values that these must have, and `kinds` (a list), `since` and `until` (ids). The values are in the text, or,
-- with `first_parameter`, are the parameters of that number and those after it, in the order of the members.
CREATE FUNCTION audit_conditions(filter jsonb, first_parameter integer DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
RETURN (
    SELECT coalesce(string_agg(
        CASE
            WHEN key = 'kinds' THEN format(
                ' AND a.kind = ANY (%L)', ARRAY(SELECT jsonb_array_elements_text(value))
            )
            WHEN key = 'since' THEN format(' AND a.id >= %s::bigint', operand)
            WHEN key = 'until' THEN format(' AND a.id < %s::bigint', operand)
            ELSE format(' AND a.%I = %s', key, operand)
        END
        -- These two have no index but this one.
        || CASE WHEN key IN ('correlation_id', 'remediation_request_id') THEN format(
            ' AND (a.kind, a.id) IN (SELECT c.kind, c.id FROM audit_correlation AS c WHERE c.key = %s)',
            operand
        ) ELSE '' END, ''), '')
    FROM (
        SELECT key, value, coalesce('$' || first_parameter + position - 1, quote_literal(value #>> '{}')) AS operand
        FROM jsonb_each(filter) WITH ORDINALITY AS m (key, value, position)
    ) AS member
);

-- How the planner would read the records that match `filter`: its estimate of their number (`Plan Rows`)
-- and of the work (`Total Cost`). Volatile, because PostgreSQL allows EXPLAIN in no other function.
CREATE FUNCTION audit_plan(filter jsonb) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM audit AS a WHERE a.deleted_at IS NULL' || audit_conditions(filter)
    INTO plan;
    RETURN plan #> '{0,Plan}';
END
$$;

-- The planner's estimate of how many records of a kind match `filter`. For totals that would take too
-- long to count.
CREATE FUNCTION audit_estimate(kind text, filter jsonb) RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (
    audit_plan(filter || jsonb_build_object('kinds', jsonb_build_array(kind))) ->> 'Plan Rows'
)::numeric::bigint;

-- The table of a kind.
CREATE FUNCTION audit_table(record_kind text) RETURNS regclass
LANGUAGE sql STABLE
RETURN CASE record_kind
    WHEN 'remediation' THEN 'remediation_audit'::regclass
    WHEN 'aianalysis' THEN 'ai_analysis_audit'::regclass
    WHEN 'workflow' THEN 'workflow_audit'::regclass
    WHEN 'execution' THEN 'execution_audit'::regclass
END;

-- How many records of a kind there are, as the planner knows it since the last analyze.
CREATE FUNCTION audit_size(record_kind text) RETURNS bigint
LANGUAGE sql STABLE
RETURN (
    SELECT sum(greatest(leaf.reltuples, 0))::bigint
    FROM pg_inherits AS month
    JOIN pg_class AS leaf ON leaf.oid = month.inhrelid
    WHERE month.inhparent = audit_table(record_kind)
);

-- Whether the index on namespaces alone tells which records match `filter`.
CREATE FUNCTION audit_is_covered(filter jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN filter ? 'namespace'
    AND filter ?| ARRAY['severity', 'status', 'phase', 'environment']
    AND filter - ARRAY['namespace', 'severity', 'status', 'phase', 'environment', 'since', 'until'] = '{}';

-- The statement of a list: $1 is the id before which it starts, $2 the filter, $3 how many records match if that
-- `is_known` well enough, and from $4 on the filter's values.
--
-- One statement for rows, total and cursor. One row more than asked is read, to know whether there is a next
-- page; a page also ends before it becomes larger than the host takes. Matching rows are counted up to
-- 100 000; beyond that the planner's estimate has to do. Kind, limit and offset are in the text: of the other
-- kinds' months the plan is to know nothing, and for parameters it would expect a tenth of all rows.
CREATE FUNCTION audit_list_statement(
    form text, record_kind text, filter jsonb, is_known boolean, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE sql STABLE
RETURN format(
    $statement$
WITH page AS MATERIALIZED (
%6$s
), last AS MATERIALIZED (
    -- The last record of the page. The window has sizes only, because it copies what it has.
    SELECT min(id) AS id
    FROM (
        SELECT id, row_number() OVER newest_first AS position, sum(size) OVER newest_first AS bytes
        FROM (SELECT id, octet_length(body) AS size FROM page) AS p
        WINDOW newest_first AS (ORDER BY id DESC)
    ) AS p
    WHERE position <= %3$s AND (position = 1 OR bytes <= audit_page_bytes())
), counted AS MATERIALIZED (
    %2$s
), list AS (
    SELECT
        (SELECT string_agg(body, ',' ORDER BY id DESC) FROM page WHERE id >= (SELECT id FROM last)) AS rows,
        CASE WHEN n <= 100000 THEN n ELSE coalesce($3, greatest(n, audit_estimate(%5$L, $2))) END AS total,
        CASE WHEN n > 100000 THEN ',"total_is_estimate":true' END AS estimated,
        %3$s AS page_limit,
        %4$s AS page_offset,
        (SELECT id FROM last WHERE EXISTS (SELECT FROM page WHERE page.id < last.id)) AS next_cursor
    FROM counted
)
SELECT %1$s FROM list
$statement$,
    -- concat, because each || would copy the whole page. It leaves out what is null.
    CASE form
        WHEN 'audits' THEN
            $body$ concat(
                '{"audits":[', rows, '],"total":', total, estimated,
                ',"limit":', page_limit, ',"offset":', page_offset,
                ',"next_cursor":', coalesce('"' || next_cursor || '"', 'null'), '}'
            ) $body$
        ELSE
            $body$ concat(
                '{"data":[', rows, '],"pagination":{"limit":', page_limit, ',"offset":', page_offset,
                ',"total":', total, estimated,
                ',"has_more":', to_json(next_cursor IS NOT NULL),
                ',"next_cursor":', coalesce('"' || next_cursor || '"', 'null'), '}}'
            ) $body$
    END,
    CASE WHEN is_known THEN 'SELECT $3 AS n' ELSE format(
        'SELECT count(*) AS n FROM (SELECT FROM %s AS a WHERE a.deleted_at IS NULL%s LIMIT 100001) AS a',
        audit_table(record_kind),
        audit_conditions(filter, 4)
    ) END,
    page_limit,
    page_offset,
    record_kind,
    -- Where an index alone tells which records match, it is asked first, and only those of the page are read.
    -- Those that match may be far between.
    format(
        CASE WHEN audit_is_covered(filter) THEN
            $page$
    SELECT match.id, record.body
    FROM (
        SELECT a.id
        FROM %4$s AS a
        WHERE a.id < $1 AND a.deleted_at IS NULL%3$s
        ORDER BY a.id DESC
        LIMIT %5$s + 1 OFFSET %6$s
    ) AS match
    CROSS JOIN LATERAL (
        SELECT %1$s::text AS body FROM audit AS a WHERE a.kind = %2$L AND a.id = match.id OFFSET 0
    ) AS record
            $page$
        ELSE
            $page$
    SELECT a.id, %1$s::text AS body
    FROM audit AS a
    WHERE a.kind = %2$L AND a.id < $1 AND a.deleted_at IS NULL%3$s
    ORDER BY a.id DESC
    LIMIT %5$s + 1 OFFSET %6$s
            $page$
        END,
        CASE form WHEN 'audits' THEN 'audit_json(a)' ELSE 'incident_json(a)' END,
        record_kind,
        audit_conditions(filter, 4),
        audit_table(record_kind),
        page_limit,
        page_offset
    )
);

-- Prepares a list, and gives up those that this connection has if there are `most`: each takes memory.
CREATE FUNCTION audit_prepare_list(name text, statement text, most integer) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    prepared text[] := ARRAY(
        SELECT p.name FROM pg_prepared_statements AS p WHERE starts_with(p.name, 'audit_list_')
    );
    other    text;
BEGIN
    IF cardinality(prepared) >= most THEN
        FOREACH other IN ARRAY prepared LOOP
            EXECUTE format('DEALLOCATE %I', other);
        END LOOP;
    END IF;
    EXECUTE format('PREPARE %I (bigint, jsonb, bigint) AS %s', name, statement);
END
$$;

-- A page of the records of a kind that match `filter` (see `audit_conditions`; without `kinds`), newest first, as
-- the answer's body. `form` is `audits` or `incidents`; `before` is the id where the page before ended, or null.
--
-- All records of a kind are not counted where the planner knows of half as many again as are counted at most.
--
-- Planning takes longer than reading, because it looks at every month twice. The host prepares nothing, so the
-- statement is prepared here, for the connection's life and for all filters of the same members. Its plan does
-- not depend on their values. Without bitmaps it walks an index from the newest record on, which is right for
-- frequent values and for rare ones.
CREATE FUNCTION audit_list(
    form text, record_kind text, filter jsonb, before bigint, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_bitmapscan = off
AS $$
DECLARE
    known     bigint;
    members   text;
    arguments text;
    name      text;
    list      text;
    body      text;
BEGIN
    IF filter = '{}' THEN
        known := nullif(greatest(audit_size(record_kind), 150000), 150000);
    ELSE
        SELECT string_agg(f.key, ' '), string_agg(format(', %L', f.value), '') INTO members, arguments
        FROM jsonb_each_text(filter) AS f;
    END IF;
    name := 'audit_list_' || md5(concat_ws(
        ' ', form, record_kind, page_limit, page_offset, known IS NOT NULL, members
    ));
    list := format(
        'EXECUTE %I (%s, %L, %L%s)', name, coalesce(before, 9223372036854775807), filter, known, arguments
    );
    BEGIN
        EXECUTE list INTO body;
    EXCEPTION WHEN invalid_sql_statement_name THEN
        PERFORM audit_prepare_list(
            name,
            audit_list_statement(form, record_kind, filter, known IS NOT NULL, page_limit, page_offset),
            32
        );
        EXECUTE list INTO body;
    END;
    RETURN body;
END
$$;

-- A record, as the answer's body; null if there is none. In a function for its plan: one for all records of a
-- kind, where planning anew would take longer than reading. A branch for each kind, because PostgreSQL locks and
-- sets up every month that a plan has, and of the other kinds' it is to have none.
CREATE FUNCTION audit_get(record_kind text, record_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    CASE record_kind
        WHEN 'remediation' THEN
            RETURN (SELECT audit_json(a)::text FROM audit AS a
                    WHERE a.kind = 'remediation' AND a.id = record_id AND a.deleted_at IS NULL);
        WHEN 'aianalysis' THEN
            RETURN (SELECT audit_json(a)::text FROM audit AS a
                    WHERE a.kind = 'aianalysis' AND a.id = record_id AND a.deleted_at IS NULL);
        WHEN 'workflow' THEN
            RETURN (SELECT audit_json(a)::text FROM audit AS a
                    WHERE a.kind = 'workflow' AND a.id = record_id AND a.deleted_at IS NULL);
        WHEN 'execution' THEN
            RETURN (SELECT audit_json(a)::text FROM audit AS a
                    WHERE a.kind = 'execution' AND a.id = record_id AND a.deleted_at IS NULL);
        ELSE
            RETURN NULL;
    END CASE;
END
$$;

-- As `audit_get`, of a remediation as an incident.
CREATE FUNCTION audit_incident(record_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (SELECT incident_json(a)::text FROM audit AS a
            WHERE a.kind = 'remediation' AND a.id = record_id AND a.deleted_at IS NULL);
END
$$;

-- A page of the records of a correlation id or a remediation request, oldest first, as the answer's body.
-- Records are put in order first; only those of the page are made JSON of.
CREATE FUNCTION audit_timeline_page(
    correlation text, first_id bigint, last_id bigint, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        WITH entry AS MATERIALIZED (
            SELECT c.kind, c.id, row_number() OVER (ORDER BY r.at, c.id) AS position, count(*) OVER () AS total
            FROM audit_correlation AS c
            CROSS JOIN LATERAL (
                SELECT coalesce(a.start_time, a.created_at) AS at
                FROM audit AS a
                WHERE a.kind = c.kind AND a.id = c.id
                    AND a.id BETWEEN first_id AND last_id
                    AND a.deleted_at IS NULL
                OFFSET 0
            ) AS r
            WHERE c.key = correlation
        ), page AS (
            SELECT e.position, r.body, sum(octet_length(r.body)) OVER (ORDER BY e.position) AS bytes
            FROM entry AS e
            CROSS JOIN LATERAL (
                SELECT audit_json(a)::text AS body
                FROM audit AS a
                WHERE a.kind = e.kind AND a.id = e.id AND a.id BETWEEN first_id AND last_id
                OFFSET 0
            ) AS r
            WHERE e.position > page_offset AND e.position - page_offset <= page_limit
        )
        SELECT concat(
            '{"correlation_id":', to_json(correlation),
            ',"audits":[',
            string_agg(body, ',' ORDER BY position)
                FILTER (WHERE position - 1 = page_offset OR bytes <= audit_page_bytes()),
            '],"total":', coalesce((SELECT total FROM entry LIMIT 1), 0),
            ',"limit":', page_limit, ',"offset":', page_offset, '}'
        )
        FROM page
    );
END
$$;

-- The same, for the usual case that all of them fit on the page: with nothing to count off, half the work.
--
-- In a function, because the plan reaches into every partition and is dear to make anew. The bounds of the ids
-- leave it one or two months to look at; OFFSET keeps the planner from reading everything between them.
CREATE FUNCTION audit_timeline(correlation text, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    records  bigint;
    first_id bigint;
    last_id  bigint;
    body     text;
BEGIN
    SELECT count(*), min(c.id), max(c.id) INTO records, first_id, last_id
    FROM audit_correlation AS c
    WHERE c.key = correlation;

    IF page_offset = 0 AND records <= page_limit THEN
        SELECT concat(
            '{"correlation_id":', to_json(correlation),
            ',"audits":[', string_agg(r.body, ',' ORDER BY r.at, c.id),
            '],"total":', count(*), ',"limit":', page_limit, ',"offset":0}'
        )
        INTO body
        FROM audit_correlation AS c
        CROSS JOIN LATERAL (
            SELECT coalesce(a.start_time, a.created_at) AS at, audit_json(a)::text AS body
            FROM audit AS a
            WHERE a.kind = c.kind AND a.id = c.id
                AND a.id BETWEEN first_id AND last_id
                AND a.deleted_at IS NULL
            OFFSET 0
        ) AS r
        WHERE c.key = correlation;
    END IF;
    IF body IS NULL OR octet_length(body) > audit_page_bytes() THEN
        body := audit_timeline_page(correlation, first_id, last_id, page_limit, page_offset);
    END IF;
    RETURN body;
END
$$;

INSERT INTO schema_migration (version, name, sha256) VALUES
    (3, '0003_reading', '4587da8ae7e54e238cfa89d6246b6bf23e923f9cfa0e77fc4e3b819ee199531d');
COMMIT;

-- migrations/0004_writing.sql
BEGIN;
-- Writing: the natural key decides whether a post is a new record, a replay or the next state of a
-- record (the table under "Life cycle" in docs/architecture.md).
--
-- A function rather than one statement of data-modifying CTEs: each statement in it sees what
-- committed while the one before it waited for a concurrent holder of the same key.

-- Milliseconds between two times; null if one is missing or they are the wrong way round, as when
-- a step that is told about later started before the record's stand-in for a start.
CREATE FUNCTION audit_elapsed_ms(start_time timestamptz, end_time timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN start_time <= end_time THEN round(extract(epoch FROM end_time - start_time) * 1000)::bigint
END;

-- The ids under which the timeline finds a record, each once. A full remediation without a request id is
-- itself the request, and the others refer to it by its name.
CREATE FUNCTION audit_correlation_keys(
    kind text, name text, remediation_request_id text, correlation_id text
) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_remove(ARRAY[
    correlation_id,
    nullif(coalesce(remediation_request_id, CASE WHEN kind = 'remediation' THEN name END), correlation_id)
], NULL);

-- A text within a document; null for any other value.
CREATE FUNCTION audit_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END;

-- What the embedding of a record depends on: the parts of its text. Same as `Parts::of` in
-- crates/audit/src/embedding.rs, which makes the text of a record that is just being written.
CREATE FUNCTION audit_embedding_parts(a audit) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_strip_nulls(jsonb_build_object(
    'alert', nullif(coalesce(a.alert_name, audit_text(a.document #> '{signalContext,alertname}')), ''),
    'severity', a.severity,
    'target', nullif(coalesce(a.target_resource, a.resource), ''),
    'action', nullif(coalesce(
        a.action_type,
        a.action,
        audit_text(a.document -> 'recommendedAction'),
        audit_text(a.document -> 'recommended_action'),
        audit_text(a.document -> 'stepName'),
        audit_text(a.document -> 'workflowName'),
        a.workflow_type
    ), ''),
    'cause', nullif(coalesce(
        audit_text(a.document -> 'rootCause'),
        audit_text(a.document -> 'root_cause'),
        audit_text(a.findings -> 'rootCause'),
        audit_text(a.findings -> 'root_cause')
    ), ''),
    'reasoning', nullif(audit_text(a.document -> 'reasoning'), ''),
    'error', nullif(a.error_message, '')
));

-- Lets searches find a record by `embedding`, in place of the vector it had. The tail comes first: a
-- concurrent move has the record in one of the two, and this waits for it before looking into the other.
CREATE FUNCTION audit_place_vector(record_kind text, record_id bigint, model text, embedding vector) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_vector_tail AS t (kind, id, model, embedding)
    VALUES (record_kind, record_id, model, embedding)
    ON CONFLICT (kind, id) DO UPDATE SET model = excluded.model, embedding = excluded.embedding;
    DELETE FROM audit_vector AS v WHERE v.kind = record_kind AND v.id = record_id;
END
$$;

-- Lets searches find a record no more. In the same order, for the same reason.
CREATE FUNCTION audit_remove_vector(record_kind text, record_id bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM audit_vector_tail AS t WHERE t.kind = record_kind AND t.id = record_id;
    DELETE FROM audit_vector AS v WHERE v.kind = record_kind AND v.id = record_id;
END
$$;

-- Has the vector database told about a record, if `mirror` says that there is one.
CREATE FUNCTION audit_announce(record_kind text, record_id bigint, mirror boolean) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF mirror THEN
        INSERT INTO audit_outbox AS o (kind, id)
        VALUES (record_kind, record_id)
        ON CONFLICT (kind, id) DO UPDATE SET revision = DEFAULT, claimed_until = DEFAULT;
    ELSE
        UPDATE audit_mirror SET complete = false WHERE complete IS DISTINCT FROM false;
    END IF;
END
$$;

-- Keeps the state that a record is about to leave.
CREATE FUNCTION audit_keep_version(old audit) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO audit_version (kind, id, version, content_hash, state)
    VALUES (old.kind, old.id, old.version, old.content_hash, audit_state_json(old));
END;

-- Replaces a record, already locked, by its next state. A vector that no longer fits the text stays, to
-- be found by, until there is another one.
CREATE FUNCTION audit_replace(old audit, new audit, mirror boolean) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    parts    CONSTANT jsonb := audit_embedding_parts(new);
    old_keys CONSTANT text[] := audit_correlation_keys(
        old.kind, old.name, old.remediation_request_id, old.correlation_id
    );
    new_keys CONSTANT text[] := audit_correlation_keys(
        new.kind, new.name, new.remediation_request_id, new.correlation_id
    );
BEGIN
    PERFORM audit_keep_version(old);

    IF parts = '{}' THEN
        new.embedding := NULL;
        new.embedding_model := '';
    ELSIF parts <> audit_embedding_parts(old) AND new.embedding IS NOT DISTINCT FROM old.embedding THEN
        new.embedding_model := NULL;
    END IF;
    IF new.deleted_at IS NOT NULL THEN
        new.embedding_model := coalesce(new.embedding_model, ''); -- nobody will look for it
    END IF;

    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    -- A duration that was computed follows the times, one that was sent stays.
    IF new.duration IS NOT DISTINCT FROM old.duration
        AND old.duration IS NOT DISTINCT FROM audit_elapsed_ms(old.start_time, old.end_time)
    THEN
        new.duration := audit_elapsed_ms(new.start_time, new.end_time);
    END IF;

    UPDATE audit
    SET name = new.name,
        namespace = new.namespace,
        phase = new.phase,
        status = new.status,
        action_type = new.action_type,
        alert_name = new.alert_name,
        alert_fingerprint = new.alert_fingerprint,
        severity = new.severity,
        environment = new.environment,
        cluster_name = new.cluster_name,
        target_resource = new.target_resource,
        remediation_request_id = new.remediation_request_id,
        correlation_id = new.correlation_id,
        start_time = new.start_time,
        end_time = new.end_time,
        duration = new.duration,
        error_message = new.error_message,
        analysis_type = new.analysis_type,
        confidence_score = new.confidence_score,
        findings = new.findings,
        workflow_type = new.workflow_type,
        steps_completed = new.steps_completed,
        steps_total = new.steps_total,
        action = new.action,
        resource = new.resource,
        metadata = new.metadata,
        document = new.document,
        embedding = new.embedding,
        embedding_model = new.embedding_model,
        updated_at = new.updated_at,
        deleted_at = new.deleted_at,
        version = new.version,
        state_rank = new.state_rank,
        name_is_stand_in = new.name_is_stand_in,
        content_hash = new.content_hash,
        changed_by = new.changed_by
    WHERE kind = old.kind AND id = old.id;

    IF new_keys <> old_keys THEN
        DELETE FROM audit_correlation WHERE kind = old.kind AND id = old.id AND key = ANY (old_keys);
        INSERT INTO audit_correlation (key, kind, id) SELECT key, new.kind, new.id FROM unnest(new_keys) AS key;
    END IF;

    IF new.embedding IS DISTINCT FROM old.embedding OR new.deleted_at IS DISTINCT FROM old.deleted_at THEN
        IF new.embedding IS NULL OR new.deleted_at IS NOT NULL THEN
            PERFORM audit_remove_vector(new.kind, new.id);
        ELSE
            PERFORM audit_place_vector(new.kind, new.id, new.embedding_model, new.embedding);
        END IF;
        PERFORM audit_announce(new.kind, new.id, mirror);
    END IF;
END
$$;

-- Whether what a record gathered by merging is more than one record may hold: twice the body of a
-- single post (1 MiB).
CREATE FUNCTION audit_too_large(a audit) RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce(octet_length(a.metadata::text), 0)
    + coalesce(octet_length(a.findings::text), 0)
    + octet_length(a.document::text) > 2 * 1024 * 1024;

-- A post, as the JSON of one has it: the columns of a record, where `id` is there if one was reserved and
-- `embedding_model` is empty if there is nothing to embed; and SHA-256 of the natural key.
CREATE TYPE audit_post AS (
    key                    bytea,
    kind                   text,
    id                     bigint,
    name                   text,
    namespace              text,
    phase                  text,
    status                 text,
    action_type            text,
    alert_name             text,
    alert_fingerprint      text,
    severity               text,
    environment            text,
    cluster_name           text,
    target_resource        text,
    remediation_request_id text,
    correlation_id         text,
    start_time             timestamptz,
    end_time               timestamptz,
    duration               bigint,
    error_message          text,
    analysis_type          text,
    confidence_score       double precision,
    findings               jsonb,
    workflow_type          text,
    steps_completed        bigint,
    steps_total            bigint,
    action                 text,
    resource               text,
    metadata               jsonb,
    document               jsonb,
    embedding              vector,
    embedding_model        text,
    state_rank             smallint,
    name_is_stand_in       boolean,
    content_hash           bytea,
    changed_by             text
);

-- Applies a post to the record that holds its key, and says what became of it: `duplicate`,
-- `stale`, `updated`, `conflict` (with the `field` that differs) or `too_large`.
CREATE FUNCTION audit_apply(post jsonb, mirror boolean) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    post_kind CONSTANT text := post ->> 'kind';
    post_hash CONSTANT bytea := (post ->> 'content_hash')::bytea;
    stand_in  CONSTANT boolean := (post ->> 'name_is_stand_in')::boolean;
    record_id bigint;
    old       audit;
    new       audit;
    alone     audit; -- what the post says without what was there
    changes   jsonb := post - ARRAY['key', 'kind', 'id', 'embedding', 'embedding_model'];
    outcome   text;
    differing text;
BEGIN
    SELECT k.id INTO record_id
    FROM audit_key AS k
    WHERE k.kind = post_kind AND k.key = (post ->> 'key')::bytea;

    SELECT * INTO old FROM audit AS a WHERE a.kind = post_kind AND a.id = record_id FOR UPDATE;

    -- A stand-in gives way to a real name, and a real name ignores stand-ins.
    differing := CASE
        WHEN post ->> 'name' <> old.name AND old.name_is_stand_in = stand_in THEN 'name'
        WHEN post ->> 'namespace' <> old.namespace THEN 'namespace'
    END;

    IF old.id IS NULL THEN
        outcome := 'stale'; -- retention has dropped it; the key remains
    ELSIF old.content_hash = post_hash THEN
        outcome := 'duplicate';
    ELSIF EXISTS (
        SELECT FROM audit_version AS v
        WHERE v.kind = post_kind AND v.id = record_id AND v.content_hash = post_hash
    ) THEN
        outcome := 'stale';
    ELSIF differing IS NOT NULL THEN
        outcome := 'conflict';
    ELSIF (post ->> 'state_rank')::smallint < old.state_rank THEN
        outcome := 'stale';
    ELSE
        IF stand_in THEN
            changes := changes - 'name';
        END IF;
        -- A state is replaced, never cleared: a finished record stays finished.
        new := jsonb_populate_record(old, changes - ARRAY(
            SELECT key FROM jsonb_each(changes)
            WHERE key IN ('phase', 'status', 'name', 'namespace', 'state_rank') AND value = 'null'
        ));
        new.document := old.document || (post -> 'document');
        new.name_is_stand_in := old.name_is_stand_in AND stand_in;
        new.changed_by := post ->> 'changed_by';
        -- The post's vector is one of the post's own text.
        alone := jsonb_populate_record(NULL::audit, changes);
        IF audit_embedding_parts(new) = audit_embedding_parts(alone) AND (post ->> 'embedding') IS NOT NULL THEN
            new.embedding := (post ->> 'embedding')::vector;
            new.embedding_model := post ->> 'embedding_model';
        END IF;
        IF audit_too_large(new) THEN
            outcome := 'too_large';
        ELSE
            PERFORM audit_replace(old, new, mirror);
            outcome := 'updated';
        END IF;
    END IF;

    RETURN jsonb_build_object(
        'id', record_id,
        'status', outcome,
        'field', differing,
        'embedded', (SELECT a.embedding_model <> '' FROM audit AS a WHERE a.kind = post_kind AND a.id = record_id)
    );
END
$$;

-- Stores an array of posts (`audit_post`). Returns an array in the same order of {id}, for a new record, or {id,
-- status, field, embedded}. `all_or_none` is for posts of one batch: one among them that cannot be accepted
-- raises AU001 with the results as its detail; posts of several callers are each for themselves. `mirror` says
-- whether there is a vector database to be told.
CREATE FUNCTION audit_write(posts jsonb, all_or_none boolean, mirror boolean) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    rows    CONSTANT audit_post[] := ARRAY(SELECT p FROM jsonb_populate_recordset(NULL::audit_post, posts) AS p);
    -- Of new records, in the order of the posts; null where a record has the key already.
    ids     bigint[] := ARRAY(SELECT coalesce(p.id, audit_next_id()) FROM unnest(rows) AS p);
    claimed bigint;
    results jsonb[];
    entry   record;
BEGIN
    -- In key order, so that two writers with the same keys never wait for each other in a circle.
    INSERT INTO audit_key (kind, key, id)
    SELECT p.kind, p.key, p.new_id
    FROM unnest(ids, rows) WITH ORDINALITY AS p (new_id)
    ORDER BY p.kind, p.key, p.ordinality
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS claimed = ROW_COUNT;
    IF claimed < cardinality(rows) THEN
        ids := ARRAY(
            SELECT k.id
            FROM unnest(ids, rows) WITH ORDINALITY AS p (new_id)
            LEFT JOIN audit_key AS k ON k.kind = p.kind AND k.key = p.key AND k.id = p.new_id
            ORDER BY p.ordinality
        );
    END IF;

    INSERT INTO audit (
        kind, id, name, namespace, phase, status, action_type, alert_name, alert_fingerprint,
        severity, environment, cluster_name, target_resource, remediation_request_id, correlation_id,
        start_time, end_time, duration, error_message, analysis_type, confidence_score, findings,
        workflow_type, steps_completed, steps_total, action, resource, metadata, document, embedding,
        embedding_model, created_at, updated_at, version, state_rank, name_is_stand_in, content_hash, changed_by
    )
    SELECT
        p.kind, p.new_id, p.name, p.namespace, p.phase, p.status, p.action_type, p.alert_name, p.alert_fingerprint,
        p.severity, p.environment, p.cluster_name, p.target_resource, p.remediation_request_id, p.correlation_id,
        p.start_time, p.end_time, coalesce(p.duration, audit_elapsed_ms(p.start_time, p.end_time)),
        p.error_message, p.analysis_type, p.confidence_score, p.findings,
        p.workflow_type, p.steps_completed, p.steps_total, p.action, p.resource, p.metadata, p.document, p.embedding,
        p.embedding_model, audit_id_time(p.new_id), audit_id_time(p.new_id), 1, p.state_rank, p.name_is_stand_in,
        p.content_hash, p.changed_by
    FROM unnest(ids, rows) AS p (new_id)
    WHERE p.new_id IS NOT NULL;

    INSERT INTO audit_correlation (key, kind, id)
    SELECT c.key, p.kind, p.new_id
    FROM unnest(ids, rows) AS p (new_id)
    CROSS JOIN unnest(
        audit_correlation_keys(p.kind, p.name, p.remediation_request_id, p.correlation_id)
    ) AS c (key)
    WHERE p.new_id IS NOT NULL;

    IF jsonb_path_exists(posts, '$[*].embedding') THEN
        INSERT INTO audit_vector_tail (kind, id, model, embedding)
        SELECT p.kind, p.new_id, p.embedding_model, p.embedding
        FROM unnest(ids, rows) AS p (new_id)
        WHERE p.new_id IS NOT NULL AND p.embedding IS NOT NULL;
    END IF;
    IF mirror THEN
        INSERT INTO audit_outbox (kind, id)
        SELECT p.kind, p.new_id
        FROM unnest(ids, rows) AS p (new_id)
        WHERE p.new_id IS NOT NULL;
    ELSE
        UPDATE audit_mirror SET complete = false WHERE complete IS DISTINCT FROM false;
    END IF;
    IF claimed = cardinality(rows) THEN
        RETURN '[{"id":' || array_to_string(ids, '},{"id":') || '}]';
    END IF;

    results := ARRAY(SELECT jsonb_build_object('id', id) FROM unnest(ids) AS id);
    FOR entry IN
        SELECT position::integer, post
        FROM jsonb_array_elements(posts) WITH ORDINALITY AS p (post, position)
        WHERE ids[position] IS NULL
        ORDER BY post ->> 'kind', post ->> 'key', position -- locks in key order, see above
    LOOP
        results[entry.position] := audit_apply(entry.post, mirror);
    END LOOP;

    IF all_or_none
        AND EXISTS (SELECT FROM unnest(results) AS r WHERE r ->> 'status' IN ('conflict', 'too_large'))
    THEN
        RAISE EXCEPTION 'a post of the batch cannot be accepted'
            USING ERRCODE = 'AU001', DETAIL = to_jsonb(results)::text;
    END IF;
    RETURN to_jsonb(results)::text;
END
$$;

INSERT INTO schema_migration (version, name, sha256) VALUES
    (4, '0004_writing', '64af73ac3b713d44eff027b74dd32e1ec8817a0fed3b1157fdbecff567b2c57f');
COMMIT;

-- migrations/0005_changing.sql
BEGIN;
-- PATCH, DELETE and the states a record went through.

-- JSON merge patch, RFC 7396 section 2.
CREATE FUNCTION audit_merge_patch(target jsonb, patch jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    result jsonb;
    member record;
BEGIN
    IF jsonb_typeof(patch) <> 'object' THEN
        RETURN patch;
    END IF;
    result := CASE WHEN jsonb_typeof(target) = 'object' THEN target ELSE '{}' END;
    FOR member IN SELECT key, value FROM jsonb_each(patch) LOOP
        IF member.value = 'null' THEN
            result := result - member.key;
        ELSE
            result := jsonb_set(
                result, ARRAY[member.key], audit_merge_patch(result -> member.key, member.value)
            );
        END IF;
    END LOOP;
    RETURN result;
END
$$;

-- Applies a merge patch {hash, rank, columns, document} to a record. Returns {outcome, record},
-- where `outcome` is `updated`, `unchanged`, `not_found`, `conflict` (a finished record never
-- becomes unfinished), `end_before_start`, `steps_exceed_total` or `too_large`.
CREATE FUNCTION audit_patch(
    record_kind text, record_id bigint, patch jsonb, caller text, mirror boolean
) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    old     audit;
    new     audit;
    columns jsonb := patch -> 'columns';
    outcome text := 'updated';
BEGIN
    SELECT * INTO old
    FROM audit AS a
    WHERE a.kind = record_kind AND a.id = record_id AND a.deleted_at IS NULL
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN '{"outcome":"not_found"}';
    END IF;

    IF jsonb_typeof(columns -> 'metadata') = 'object' THEN
        columns := jsonb_set(columns, '{metadata}', audit_merge_patch(old.metadata, columns -> 'metadata'));
    END IF;
    IF jsonb_typeof(columns -> 'findings') = 'object' THEN
        columns := jsonb_set(columns, '{findings}', audit_merge_patch(old.findings, columns -> 'findings'));
    END IF;
    new := jsonb_populate_record(old, columns);
    new.document := audit_merge_patch(old.document, patch -> 'document');
    new.state_rank := coalesce((patch ->> 'rank')::smallint, old.state_rank);

    IF new IS NOT DISTINCT FROM old THEN
        outcome := 'unchanged';
    ELSIF new.state_rank < old.state_rank THEN
        outcome := 'conflict';
    ELSIF new.end_time < new.start_time THEN
        outcome := 'end_before_start';
    ELSIF new.steps_completed > new.steps_total THEN
        outcome := 'steps_exceed_total';
    ELSIF audit_too_large(new) THEN
        outcome := 'too_large';
    ELSE
        new.content_hash := (patch ->> 'hash')::bytea;
        new.changed_by := caller;
        PERFORM audit_replace(old, new, mirror);
    END IF;

    RETURN (
        SELECT '{"outcome":"' || outcome || '","record":' || audit_json(a) || '}'
        FROM audit AS a
        WHERE a.kind = record_kind AND a.id = record_id
    );
END
$$;

-- Hides a record. It stays in its table, and its versions show who hid it and when. False where
-- there is none to hide.
CREATE FUNCTION audit_delete(
    record_kind text, record_id bigint, caller text, mirror boolean
) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    old audit;
    new audit;
BEGIN
    SELECT * INTO old
    FROM audit AS a
    WHERE a.kind = record_kind AND a.id = record_id AND a.deleted_at IS NULL
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    new := old;
    new.deleted_at := clock_timestamp();
    new.changed_by := caller;
    PERFORM audit_replace(old, new, mirror);
    RETURN true;
END
$$;

-- The states of a record, oldest first, as the answer's body; null where there is no such record.
CREATE FUNCTION audit_versions(record_kind text, record_id bigint) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT '{"kind":' || to_json(record_kind) || ',"id":' || record_id
        || ',"versions":' || jsonb_agg(state ORDER BY version) || '}'
    FROM (
        SELECT version, state
        FROM audit_version
        WHERE kind = record_kind AND id = record_id
        UNION ALL
        SELECT version, audit_state_json(a)
        FROM audit AS a
        WHERE kind = record_kind AND id = record_id
    ) AS states
    HAVING count(*) > 0;
END;

INSERT INTO schema_migration (version, name, sha256) VALUES
    (5, '0005_changing', 'c37e9062ec9b0e087d79743f58061b505e1222dbd38f9eb6f190b7253a0b6b7d');
COMMIT;

-- migrations/0006_searching.sql
BEGIN;
-- Finding records by how near their vectors are to another one. A vector is in `audit_vector` and its HNSW
-- indexes, or in `audit_vector_tail`, where it landed; searches look at both, under one snapshot,
-- because all functions here that read are STABLE.
--
-- Where numbers come from: `cargo xtask bench recall` and `tail`, docs/performance.md.

-- Whether HNSW scans go on after `hnsw.ef_search` candidates, as they do since pgvector 0.8. Asked of the
-- library rather than of `pg_extension`, which may be behind it; the caller has loaded it.
CREATE FUNCTION audit_scans_on() RETURNS boolean
LANGUAGE sql STABLE
RETURN current_setting('hnsw.iterative_scan', true) IS NOT NULL;

-- The columns that a filter may compare, as it writes them.
CREATE FUNCTION audit_filterable(a audit) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN jsonb_build_object(
    'name', a.name,
    'namespace', a.namespace,
    'phase', a.phase,
    'status', a.status,
    'action_type', a.action_type,
    'alert_name', a.alert_name,
    'alert_fingerprint', a.alert_fingerprint,
    'severity', a.severity,
    'environment', a.environment,
    'cluster_name', a.cluster_name,
    'remediation_request_id', a.remediation_request_id,
    'correlation_id', a.correlation_id
);

-- What `hnsw.ef_search` must be in each partition so that searching all of them finds what one graph
-- searched with `ef` finds. Measured at 100 000 records, recall@10 of 0.99 takes 100 in one month and 30 in
-- each of twelve: a near record that one graph hides is one of few in it, and they are smaller.
CREATE FUNCTION audit_ef_search(ef integer, wanted integer, since bigint, until bigint) RETURNS integer
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT least(1000, greatest(wanted, round(ef / sqrt(greatest(1, count(*))))))::integer
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_vector'::regclass
        AND c.reltuples > 0
        -- Names end in the month, _YYYY_MM.
        AND (since IS NULL
            OR right(c.relname, 8) >= to_char(audit_id_time(since) AT TIME ZONE 'UTC', '_YYYY_MM'))
        AND (until IS NULL
            OR right(c.relname, 8) <= to_char(audit_id_time(until) AT TIME ZONE 'UTC', '_YYYY_MM'));
END;

-- A record that a search found.
CREATE TYPE audit_hit AS (kind text, id bigint, distance double precision);

-- The `wanted` records nearest to `probe` among those that match `filter`, by looking at every one of them.
CREATE FUNCTION audit_nearest_exact(probe vector, probe_model text, filter jsonb, wanted integer)
RETURNS SETOF audit_hit
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    -- Materialized, or the planner may take the order from the HNSW indexes, which miss some.
    RETURN QUERY EXECUTE
        'WITH candidate AS MATERIALIZED (
            SELECT v.kind, v.id, v.embedding <=> $1 AS distance
            FROM audit AS a
            JOIN audit_searchable AS v ON v.kind = a.kind AND v.id = a.id
            WHERE v.model = $2 AND a.deleted_at IS NULL' || audit_conditions(filter) || '
        )
        SELECT kind, id, distance FROM candidate ORDER BY distance, id DESC LIMIT $3'
    USING probe, probe_model, wanted;
END
$$;

-- Those of `hits` whose record has the values of `equal`.
CREATE FUNCTION audit_matching(hits audit_hit[], equal jsonb) RETURNS audit_hit[]
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN CASE WHEN equal = '{}' THEN hits ELSE ARRAY(
        SELECT h::audit_hit
        FROM unnest(hits) AS h
        JOIN audit AS a ON a.kind = h.kind AND a.id = h.id
        WHERE a.deleted_at IS NULL AND audit_filterable(a) @> equal
    ) END;
END
$$;

-- The distance of the last of the `wanted` best; null if there are fewer.
CREATE FUNCTION audit_farthest(hits audit_hit[], wanted integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT distance FROM unnest(hits) ORDER BY distance OFFSET wanted - 1 LIMIT 1);

-- What of the tail is no farther than `farthest`: the `wanted` nearest, or all if that is null. Exact: the
-- sketches say which vectors may be, and these are compared in full.
--
-- By itself, because the switches of `audit_nearest_indexed` would have it read through the primary key, which
-- takes a third longer.
CREATE FUNCTION audit_nearest_in_tail(
    probe vector,
    probe_model text,
    kinds text[],
    since bigint,
    until bigint,
    farthest double precision,
    wanted integer
) RETURNS audit_hit[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = on SET enable_sort = on SET enable_indexscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    -- How far the distance of two sketches may be from that of the vectors. Half precision rounds to 11 bits, so
    -- a sketch is off by at most 2^-11 of its length, 1, and the inner product of two by 2 * 2^-11 = 0.00098;
    -- adding up 1536 products in single precision, by 1536 * 2^-24 = 0.0001.
    margin CONSTANT double precision := 0.002;
    probe_sketch CONSTANT {{sketch_type}} := audit_sketch(probe);
BEGIN
    IF farthest IS NULL THEN
        -- Null again if there are fewer than `wanted`.
        farthest := margin + (
            SELECT t.sketch <=> probe_sketch AS distance
            FROM audit_vector_tail AS t
            WHERE t.model = probe_model
                AND (kinds IS NULL OR t.kind = ANY (kinds)) AND t.id >= since AND t.id < until
            ORDER BY distance
            OFFSET wanted - 1
            LIMIT CASE WHEN wanted IS NULL THEN 0 ELSE 1 END
        );
    END IF;
    farthest := coalesce(farthest, 'infinity');

    -- OFFSET keeps the planner from comparing anything else with every row.
    RETURN ARRAY(
        SELECT (t.kind, t.id, t.embedding <=> probe)::audit_hit
        FROM (
            SELECT *
            FROM audit_vector_tail AS near
            WHERE near.sketch <=> probe_sketch <= farthest + margin
            OFFSET 0
        ) AS t
        WHERE t.model = probe_model
            AND (kinds IS NULL OR t.kind = ANY (kinds)) AND t.id >= since AND t.id < until
            AND t.embedding <=> probe <= farthest
        ORDER BY t.embedding <=> probe, t.id DESC
        LIMIT wanted
    );
END
$$;

-- As `audit_nearest_exact`, but through the indexes, which miss some, and the tail, of which it looks at
-- all. Finds fewer than `wanted` where it gives up: HNSW scans end, and a filter may hide whatever is
-- near.
--
-- Plans are generic, because planning takes longer than searching. Without the other two switches the
-- planner would scan and sort while tables are small, and keep that plan when they are not.
CREATE FUNCTION audit_nearest_indexed(
    probe vector,
    probe_model text,
    filter jsonb,
    wanted integer,
    patience bigint -- gives up after so many candidates
) RETURNS SETOF audit_hit
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_sort = off
AS $$
DECLARE
    kinds    text[] := CASE WHEN filter ? 'kinds' THEN ARRAY(SELECT jsonb_array_elements_text(filter -> 'kinds')) END;
    since    bigint := coalesce((filter ->> 'since')::bigint, 0);
    until    bigint := coalesce((filter ->> 'until')::bigint, 9223372036854775807);
    equal    jsonb := filter - ARRAY['kinds', 'since', 'until'];
    entry    record;
    block    audit_hit[] := '{}'; -- found, but their records not yet looked at
    size     integer := wanted;   -- of a block; it grows while filters hide most of it
    nearest  double precision;    -- in the block
    hits     audit_hit[] := '{}';
    farthest double precision;    -- of the `wanted` best hits, once there are so many
    seen     bigint := 0;
BEGIN
    -- Model and kind are compared here and not in the scan, which would go on and on in search of one that
    -- is rare.
    FOR entry IN
        SELECT v.model, v.kind, (v.kind, v.id, v.embedding <=> probe)::audit_hit AS hit
        FROM audit_vector AS v
        WHERE v.id >= since AND v.id < until
        ORDER BY v.embedding <=> probe
    LOOP
        seen := seen + 1;
        EXIT WHEN seen > patience;
        CONTINUE WHEN entry.model <> probe_model OR entry.kind <> ALL (kinds); -- null: all
        block := block || entry.hit;
        nearest := least(nearest, (entry.hit).distance);
        CONTINUE WHEN cardinality(block) < size;
        -- Candidates come in nearly the right order: once a whole block is too far, all are.
        EXIT WHEN nearest > farthest;
        hits := hits || audit_matching(block, equal);
        block := '{}';
        nearest := NULL;
        farthest := audit_farthest(hits, wanted);
        EXIT WHEN filter = '{}' AND farthest IS NOT NULL;
        size := least(2 * size, 500);
    END LOOP;
    hits := hits || audit_matching(block, equal);

    block := audit_nearest_in_tail(
        probe, probe_model, kinds, since, until,
        audit_farthest(hits, wanted), CASE WHEN equal = '{}' THEN wanted END
    );
    RETURN QUERY
        SELECT * FROM unnest(hits || audit_matching(block, equal)) ORDER BY distance, id DESC LIMIT wanted;
END
$$;

-- The `wanted` nearest records, by whichever way is quicker.
CREATE FUNCTION audit_nearest(probe vector, probe_model text, filter jsonb, wanted integer, ef integer)
RETURNS audit_hit[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- In the planner's units; about 40 ms, and the indexes take 10 to 40 with a filter.
    cheap CONSTANT double precision := 20000;
    plan  json;
    cost  double precision;
    hits  audit_hit[];
BEGIN
    IF wanted < 1 THEN
        RETURN '{}';
    END IF;
    IF filter <> '{}' THEN
        plan := audit_plan(filter);
        -- To find the matches, and to look at their vectors.
        cost := (plan ->> 'Total Cost')::double precision + (plan ->> 'Plan Rows')::double precision;
    END IF;
    IF cost IS NULL OR cost > cheap THEN
        -- `probe` is a vector, so the library is loaded and knows its settings.
        PERFORM set_config(
            'hnsw.ef_search',
            audit_ef_search(ef, wanted, (filter ->> 'since')::bigint, (filter ->> 'until')::bigint)::text,
            true
        );
        IF audit_scans_on() THEN
            PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true);
        END IF;
        -- A candidate costs as much as ten units of looking at everything.
        hits := ARRAY(
            SELECT h
            FROM audit_nearest_indexed(
                probe, probe_model, filter, wanted, least(20000, coalesce(cost, 'infinity') / 10)::bigint
            ) AS h
        );
    END IF;
    IF cardinality(hits) >= wanted THEN
        RETURN hits;
    END IF;
    RETURN ARRAY(SELECT h FROM audit_nearest_exact(probe, probe_model, filter, wanted) AS h);
END
$$;

-- Records and how similar they are, as JSON, best first. It ends early where the page would become too
-- large.
CREATE FUNCTION audit_results(hits audit_hit[], min_similarity double precision) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        SELECT '[' || coalesce(string_agg(body, ',' ORDER BY position), '') || ']'
        FROM (
            SELECT body, position, sum(octet_length(body)) OVER (ORDER BY position) AS bytes
            FROM (
                SELECT
                    json_build_object('audit', audit_json(a), 'similarity', 1 - h.distance)::text AS body,
                    row_number() OVER (ORDER BY h.distance, h.id DESC) AS position
                FROM unnest(hits) AS h
                JOIN audit AS a ON a.kind = h.kind AND a.id = h.id
                -- A vector of zeros has no distance to any: NaN, which is above every number.
                WHERE a.deleted_at IS NULL AND h.distance <= 1 - coalesce(min_similarity, -1)
            ) AS page
        ) AS entry
        WHERE position = 1 OR bytes <= audit_page_bytes()
    );
END
$$;

-- The records most like `probe`, as the answer's body: at most `wanted`, of those that match `filter` (see
-- `audit_conditions`) and were embedded with `probe_model`. `ef` is how many candidates an HNSW index is
-- searched for.
CREATE FUNCTION audit_search(
    probe text,
    probe_model text,
    filter jsonb,
    wanted integer,
    min_similarity double precision,
    ef integer
) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN '{"results":'
        || audit_results(audit_nearest(probe::vector, probe_model, filter, wanted, ef), min_similarity)
        || '}';
END
$$;

-- The records most like one of them, as the answer's body; null if there is no such record. One
-- without a vector is like no other.
CREATE FUNCTION audit_similar(
    record_kind text,
    record_id bigint,
    filter jsonb,
    wanted integer,
    min_similarity double precision,
    ef integer
) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    own  record;
    hits audit_hit[] := '{}';
BEGIN
    IF NOT EXISTS (
        SELECT FROM audit AS a WHERE a.kind = record_kind AND a.id = record_id AND a.deleted_at IS NULL
    ) THEN
        RETURN NULL;
    END IF;
    SELECT v.model, v.embedding INTO own
    FROM audit_searchable AS v
    WHERE v.kind = record_kind AND v.id = record_id;
    IF FOUND THEN
        -- One more, because the nearest is the record itself.
        hits := audit_nearest(own.embedding, own.model, filter, wanted + 1, ef);
        hits := ARRAY(
            SELECT h
            FROM unnest(hits) AS h
            WHERE (h.kind, h.id) <> (record_kind, record_id)
            ORDER BY h.distance, h.id DESC
            LIMIT wanted
        );
    END IF;
    RETURN '{"embedding_model":' || coalesce(to_json(own.model)::text, 'null')
        || ',"results":' || audit_results(hits, min_similarity) || '}';
END
$$;

-- Scanned, so it must not be stored apart from its row; nor the name of the model because the row is long.
ALTER TABLE audit_vector_tail ALTER COLUMN sketch SET STORAGE PLAIN, ALTER COLUMN model SET STORAGE PLAIN;
-- Rows leave as fast as they come, so vacuum must not wait for a fifth of the table.
ALTER TABLE audit_vector_tail SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- When the tail is next to be looked at by `audit_move_tail`.
CREATE TABLE audit_tail_move (
    rest_until timestamptz NOT NULL
);
INSERT INTO audit_tail_move VALUES ('-infinity');

-- Moves the oldest vectors, at most `step`, from the tail into the indexed part, and returns how many it
-- moved. Called behind every request, so most calls must cost nothing, and moving must leave the
-- machine to the writers: a step is followed by a rest, the longer the shorter the tail.
--
-- A search sees a vector in one of the two, because a step is one statement. One step at a time; a vector
-- that is just being replaced or removed is left for the next.
CREATE FUNCTION audit_move_tail(step integer) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    few   CONSTANT bigint := 500;   -- not worth a step unless they are old
    many  CONSTANT bigint := 5000;  -- searched as long as an index of 100 000: from here on no rest
    old   CONSTANT interval := '10 seconds';
    began timestamptz := clock_timestamp();
    tail  record;
    moved bigint := 0;
    rest  interval := '1 second';
BEGIN
    IF (SELECT rest_until FROM audit_tail_move) > began
        OR NOT pg_try_advisory_xact_lock(hashtext('audit_move_tail'))
        -- Another step may have ended in between.
        OR (SELECT rest_until FROM audit_tail_move) > began
    THEN
        RETURN 0;
    END IF;

    SELECT count(*) AS length, audit_id_time(min(id)) AS since INTO tail FROM audit_vector_tail;
    IF tail.length >= few OR tail.since < began - old THEN
        WITH leaving AS (
            SELECT kind, id FROM audit_vector_tail ORDER BY id LIMIT step FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM audit_vector_tail AS t
            USING leaving AS l
            WHERE t.kind = l.kind AND t.id = l.id
            RETURNING t.kind, t.id, t.model, t.embedding
        )
        INSERT INTO audit_vector (kind, id, model, embedding)
        SELECT kind, id, model, embedding FROM gone
        ON CONFLICT (kind, id) DO UPDATE SET model = excluded.model, embedding = excluded.embedding;
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;
    IF moved > 0 THEN
        rest := least(
            rest,
            (clock_timestamp() - began) * greatest(0, (many - tail.length)::double precision / tail.length)
        );
    END IF;
    UPDATE audit_tail_move SET rest_until = clock_timestamp() + rest;
    -- A step that a crash undoes is taken again.
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN moved;
END
$$;

INSERT INTO schema_migration (version, name, sha256) VALUES
    (6, '0006_searching', '35418a5a5d4a811c254708207deaa07461879137fa5e0e4f4f08bcb905aa2e94');
COMMIT;

-- migrations/0007_embedding_later.sql
BEGIN;
-- Records whose vector is missing, or was made by another model, get theirs behind later requests, or all
-- at once by `cargo xtask backfill`. `embedding_model` says which they are, so nothing is ever forgotten
-- and an interrupted run goes on where it was.

-- Until when somebody is embedding on behalf of all instances. One at a time is enough, and keeps a
-- provider that has just come back from being overrun.
CREATE TABLE audit_embedding_lease (
    busy_until timestamptz NOT NULL,
    -- Records at a time. It grows with each answer and shrinks with each failure: a provider too slow for
    -- many in its time would never answer.
    batch      integer     NOT NULL
);
INSERT INTO audit_embedding_lease VALUES ('-infinity', 1);

-- Records whose text the provider refused, so that they do not hold up the others.
CREATE TABLE audit_embedding_refusal (
    kind     text        NOT NULL,
    id       bigint      NOT NULL,
    attempts integer     NOT NULL,
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (kind, id)
);

-- At most `wanted` records that `model` is to embed, as an array of {kind, id, version, parts}, those
-- without any vector first, the newest of them first. Not those that were refused just now.
--
-- Generic plans without bitmaps and sorts walk the indexes for what is to be embedded, and end with what is wanted.
CREATE FUNCTION audit_embedding_pending(model text, wanted integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_bitmapscan = off SET enable_seqscan = off SET enable_sort = off
AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'kind', (a).kind,
            'id', (a).id,
            'version', (a).version,
            'parts', audit_embedding_parts(a)
        )), '[]')
        FROM (
            (
                SELECT a FROM audit AS a
                WHERE a.embedding_model IS NULL
                    AND NOT EXISTS (
                        SELECT FROM audit_embedding_refusal AS r
                        WHERE r.kind = a.kind AND r.id = a.id AND r.retry_at > now()
                    )
                ORDER BY a.id DESC
                LIMIT wanted
            )
            UNION ALL
            (
                SELECT a FROM audit AS a
                WHERE a.embedding_model > ''
                    AND a.embedding_model < model
                    AND a.deleted_at IS NULL
                    AND NOT EXISTS (
                        SELECT FROM audit_embedding_refusal AS r
                        WHERE r.kind = a.kind AND r.id = a.id AND r.retry_at > now()
                    )
                LIMIT wanted
            )
            UNION ALL
            (
                SELECT a FROM audit AS a
                WHERE a.embedding_model > ''
                    AND a.embedding_model > model
                    AND a.deleted_at IS NULL
                    AND NOT EXISTS (
                        SELECT FROM audit_embedding_refusal AS r
                        WHERE r.kind = a.kind AND r.id = a.id AND r.retry_at > now()
                    )
                LIMIT wanted
            )
            LIMIT wanted
        ) AS pending (a)
    );
END
$$;

-- As `audit_embedding_pending`, for one caller at a time: null if there is nothing to do or somebody else
-- does it. The caller has `lease` to bring the vectors.
CREATE FUNCTION audit_embedding_claim(model text, lease interval) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    pending jsonb;
BEGIN
    IF EXISTS (SELECT FROM audit_embedding_lease WHERE busy_until > clock_timestamp()) THEN
        RETURN NULL;
    END IF;
    pending := audit_embedding_pending(model, (SELECT batch FROM audit_embedding_lease));
    IF pending = '[]' THEN
        RETURN NULL;
    END IF;
    UPDATE audit_embedding_lease
    SET busy_until = clock_timestamp() + lease
    WHERE busy_until <= clock_timestamp();
    RETURN CASE WHEN FOUND THEN pending END;
END
$$;

-- Lets the next caller claim after `pause`.
CREATE FUNCTION audit_embedding_release(pause interval) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_embedding_lease SET busy_until = clock_timestamp() + pause;
END;

-- The same, where the number of records is up to the provider: the next caller gets more of them, at most
-- `largest`, if it answered for all of these, and fewer, after `pause`, if it did not.
CREATE FUNCTION audit_embedding_conclude(complete boolean, pause interval, largest integer) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_embedding_lease
    SET busy_until = CASE WHEN complete THEN clock_timestamp() ELSE clock_timestamp() + pause END,
        batch = CASE WHEN complete THEN least(batch * 2, largest) ELSE greatest(batch / 2, 1) END;
END;

-- Stores vectors of pending records: an array of {kind, id, version, model, vector}, without `vector` where
-- there is nothing to embed, and without `model` where the provider refused. A record that has changed
-- since is left for the next time. Returns how many records are done.
CREATE FUNCTION audit_embed(vectors jsonb, mirror boolean) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    entry record;
    done  integer := 0;
BEGIN
    FOR entry IN
        SELECT *
        FROM jsonb_to_recordset(vectors) AS v (kind text, id bigint, version integer, model text, vector text)
        ORDER BY kind, id -- so that two callers never wait for each other in a circle
    LOOP
        IF entry.model IS NULL THEN
            INSERT INTO audit_embedding_refusal AS r (kind, id, attempts, retry_at)
            VALUES (entry.kind, entry.id, 1, now() + interval '1 minute')
            ON CONFLICT (kind, id) DO UPDATE
            SET attempts = r.attempts + 1,
                retry_at = now() + least(interval '1 minute' * 2 ^ r.attempts, interval '1 hour');
            CONTINUE;
        END IF;

        UPDATE audit AS a
        SET embedding = entry.vector::vector, embedding_model = entry.model
        WHERE a.kind = entry.kind AND a.id = entry.id AND a.version = entry.version AND a.deleted_at IS NULL;
        CONTINUE WHEN NOT FOUND;

        IF entry.vector IS NULL THEN
            PERFORM audit_remove_vector(entry.kind, entry.id);
        ELSE
            PERFORM audit_place_vector(entry.kind, entry.id, entry.model, entry.vector::vector);
        END IF;
        PERFORM audit_announce(entry.kind, entry.id, mirror);
        DELETE FROM audit_embedding_refusal AS r WHERE r.kind = entry.kind AND r.id = entry.id;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;

-- What instances may do behind their requests: `embed`, `move` (vectors out of the tail) and `deliver`
-- (to the vector database), joined by spaces. Cheap, because everybody asks often.
CREATE FUNCTION audit_chores(model text) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN concat_ws(' ',
        CASE
            WHEN model IS NOT NULL
                AND NOT EXISTS (SELECT FROM audit_embedding_lease WHERE busy_until > clock_timestamp())
                AND audit_embedding_pending(model, 1) <> '[]'
            THEN 'embed'
        END,
        CASE WHEN EXISTS (SELECT FROM audit_vector_tail) THEN 'move' END,
        CASE WHEN EXISTS (SELECT FROM audit_outbox WHERE claimed_until < clock_timestamp()) THEN 'deliver' END
    );
END
$$;

INSERT INTO schema_migration (version, name, sha256) VALUES
    (7, '0007_embedding_later', '3c1286322206757d446f72c1ed5e04af23b6cf6c589c378eb9a3faac8858479e');
COMMIT;

-- migrations/0008_mirroring.sql
BEGIN;
-- The vector database has what `audit_outbox` does not name. A delivery reads the present state of a
-- record and its revision, so it may be repeated, and a late one never undoes a later one.

-- What the vector database is told about records: an array of {id, kind, revision, created_at, model,
-- embedding}, the last two null for one that has no vector or is hidden. `entries` are {kind, id, revision};
-- null if there are none.
CREATE FUNCTION audit_mirrored(entries jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_agg(jsonb_build_object(
        'id', e.id,
        'kind', e.kind,
        'revision', e.revision,
        'created_at', audit_rfc3339(audit_id_time(e.id)),
        'model', v.model,
        'embedding', v.embedding::text
    ))
    FROM jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    LEFT JOIN LATERAL (
        SELECT model, embedding FROM audit_searchable WHERE kind = e.kind AND id = e.id
    ) AS v ON true;
END;

-- Claims at most `wanted` entries of the outbox, the oldest first, for the time of `lease`, and returns what
-- to tell, or null if there is nothing. The state is read by a statement of its own, which sees at least what
-- the claimed revision stands for.
CREATE FUNCTION audit_outbox_claim(wanted integer, lease interval) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    claimed jsonb;
BEGIN
    WITH due AS (
        SELECT kind, id
        FROM audit_outbox
        WHERE claimed_until < clock_timestamp()
        ORDER BY revision
        LIMIT wanted
        FOR UPDATE SKIP LOCKED
    ), updated AS (
        UPDATE audit_outbox AS o
        SET claimed_until = clock_timestamp() + lease
        FROM due
        WHERE o.kind = due.kind AND o.id = due.id
        RETURNING o.kind, o.id, o.revision
    )
    SELECT jsonb_agg(to_jsonb(updated)) INTO claimed FROM updated;
    RETURN audit_mirrored(claimed)::text;
END
$$;

-- What to tell about these records of one kind right after they were written, as `audit_outbox_claim`.
CREATE FUNCTION audit_outbox_of(record_kind text, ids jsonb) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT audit_mirrored(jsonb_agg(to_jsonb(o)))::text
    FROM audit_outbox AS o
    WHERE o.kind = record_kind
        AND o.id IN (SELECT value::bigint FROM jsonb_array_elements_text(ids));
END;

-- Strikes out what the vector database has confirmed, unless the record has changed since.
CREATE FUNCTION audit_outbox_done(entries jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM audit_outbox AS o
    USING jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    WHERE o.kind = e.kind AND o.id = e.id AND o.revision = e.revision;
END;

-- Gives entries back that could not be delivered, so that the next one need not wait for the lease.
CREATE FUNCTION audit_outbox_return(entries jsonb, pause interval) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_outbox AS o
    SET claimed_until = clock_timestamp() + pause
    FROM jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    WHERE o.kind = e.kind AND o.id = e.id AND o.revision = e.revision;
END;

-- Those of `ids` that no delivery is going to name.
CREATE FUNCTION audit_outbox_lacks(ids jsonb) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(i.value), '[]')::text
    FROM jsonb_array_elements(ids) AS i
    WHERE NOT EXISTS (SELECT FROM audit_outbox AS o WHERE o.id = i.value::bigint);
END;

-- Ids for records that are about to be written.
CREATE FUNCTION audit_reserve_ids(count integer) RETURNS text
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT json_agg(audit_next_id())::text FROM generate_series(1, count);
END;

-- Begins to make up for records that were written without the vector database.
CREATE FUNCTION audit_mirror_begin() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_mirror SET complete = NULL WHERE complete IS NOT TRUE;
END;

-- Announces at most `step` records of a kind, those after `after`. Returns the last one; null if there is none.
CREATE FUNCTION audit_mirror_fill(record_kind text, after bigint, step integer) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
    WITH page AS (
        SELECT a.kind, a.id
        FROM audit AS a
        WHERE a.kind = record_kind AND a.id > after
        ORDER BY a.id
        LIMIT step
    ), announced AS (
        INSERT INTO audit_outbox (kind, id)
        SELECT kind, id FROM page
        ON CONFLICT (kind, id) DO NOTHING
    )
    SELECT max(id) FROM page;
END;

-- Ends what `audit_mirror_begin` began, once every record is announced. False if one was written without the
-- vector database meanwhile.
CREATE FUNCTION audit_mirror_end() RETURNS boolean
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_mirror SET complete = true WHERE complete IS NULL;
    SELECT complete IS TRUE FROM audit_mirror;
END;

-- The answer to a search from what the vector database found: `candidates` are {id, kind, distance}. What it
-- has yet to be told is compared here. Null if that does not make `wanted` results, if there is much to be
-- told, or if the vector database was never told everything: then the primary is searched.
CREATE FUNCTION audit_search_among(
    candidates jsonb,
    probe text,
    probe_model text,
    kinds jsonb,
    wanted integer,
    min_similarity double precision
) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    much CONSTANT integer := 1000; -- a few milliseconds' worth of looking
    hits audit_hit[];
BEGIN
    IF (SELECT complete FROM audit_mirror) IS NOT TRUE
        OR (SELECT count(*) > much FROM (SELECT FROM audit_outbox LIMIT much + 1) AS o)
    THEN
        RETURN NULL;
    END IF;
    hits := ARRAY(
        SELECT (c.kind, c.id, c.distance)::audit_hit
        FROM (
            SELECT n.kind, n.id, n.distance
            FROM jsonb_to_recordset(candidates) AS n (kind text, id bigint, distance double precision)
            WHERE NOT EXISTS (SELECT FROM audit_outbox AS o WHERE o.kind = n.kind AND o.id = n.id)
            UNION ALL
            SELECT o.kind, o.id, v.embedding <=> probe::vector
            FROM audit_outbox AS o
            CROSS JOIN LATERAL (
                SELECT model, embedding FROM audit_searchable WHERE kind = o.kind AND id = o.id
            ) AS v
            WHERE v.model = probe_model AND (kinds IS NULL OR kinds ? o.kind)
        ) AS c
        JOIN audit AS a ON a.kind = c.kind AND a.id = c.id
        WHERE a.deleted_at IS NULL
        ORDER BY c.distance, c.id DESC
        LIMIT wanted
    );
    IF cardinality(hits) < wanted THEN
        RETURN NULL;
    END IF;
    RETURN '{"results":' || audit_results(hits, min_similarity) || '}';
END
$$;

INSERT INTO schema_migration (version, name, sha256) VALUES
    (8, '0008_mirroring', 'c554530c2eacc1792c93e22c5906aba8117a205afd0edf98d1281960498eac8c');
COMMIT;
