-- What the release before this one calls, and what statements of it that are in flight during an upgrade may still name.
-- It goes with the next release: delete this file, and drop what it defines by a migration of tables/.

-- Readiness of that release asks for the newest migration, 8 or more. Its migrations refuse a database that has more.
CREATE OR REPLACE VIEW schema_migration AS
SELECT 9 AS version, 'replaced by schema_tables and schema_functions' AS name, '' AS sha256;

-- Now `audit_vector_db`.
CREATE OR REPLACE VIEW audit_mirror AS
SELECT complete FROM audit_vector_db;

-- Now `audit_quantise`.
CREATE OR REPLACE FUNCTION audit_sketch(embedding vector) RETURNS audit_vector_tail.sketch%TYPE
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN audit_quantise(embedding);

-- Without what is to be retained: who asks so keeps all.
CREATE OR REPLACE FUNCTION audit_maintenance_due(model text) RETURNS text
LANGUAGE sql STABLE
RETURN audit_maintenance_due(model, '{}', false);

-- Now `audit_maintenance_due`, which also names what that release does not know.
CREATE OR REPLACE FUNCTION audit_chores(model text) RETURNS text
LANGUAGE sql STABLE
RETURN array_to_string(
    ARRAY(
        SELECT chore
        FROM string_to_table(audit_maintenance_due(model, '{}', false), ' ') AS chore
        WHERE chore IN ('embed', 'move', 'deliver')
    ),
    ' '
);

-- Now `audit_vector_db_entries`.
CREATE OR REPLACE FUNCTION audit_mirrored(entries jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN audit_vector_db_entries(entries);

-- Now `audit_vector_db_begin`, `audit_vector_db_fill` and `audit_vector_db_end`.
CREATE OR REPLACE FUNCTION audit_mirror_begin() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT audit_vector_db_begin();
END;

CREATE OR REPLACE FUNCTION audit_mirror_fill(record_kind text, after bigint, step integer) RETURNS bigint
LANGUAGE sql
RETURN audit_vector_db_fill(record_kind, after, step);

CREATE OR REPLACE FUNCTION audit_mirror_end() RETURNS boolean
LANGUAGE sql
RETURN audit_vector_db_end();

-- These have a parameter more.
CREATE OR REPLACE FUNCTION audit_patch(
    record_kind text, record_id bigint, patch jsonb, caller text, vector_db boolean
) RETURNS text
LANGUAGE sql
RETURN audit_patch(record_kind, record_id, patch, caller, vector_db, NULL);

CREATE OR REPLACE FUNCTION audit_delete(
    record_kind text, record_id bigint, caller text, vector_db boolean
) RETURNS boolean
LANGUAGE sql
RETURN audit_delete(record_kind, record_id, caller, vector_db, NULL);

CREATE OR REPLACE FUNCTION audit_search_among(
    candidates jsonb,
    probe text,
    probe_model text,
    kinds jsonb,
    wanted integer,
    min_similarity double precision
) RETURNS text
LANGUAGE sql STABLE
RETURN audit_search_among(candidates, probe, probe_model, kinds, wanted, min_similarity, '[]');

CREATE OR REPLACE FUNCTION audit_list(
    form text, record_kind text, filter jsonb, before bigint, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE sql VOLATILE
RETURN audit_list(form, record_kind, filter, before, page_limit, page_offset, 'previous', NULL);

-- Now `audit_page_statement` and `audit_prepare_page`, with other parameters. Lists that are in flight during an upgrade call them.
CREATE OR REPLACE FUNCTION audit_list_statement(
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
CREATE OR REPLACE FUNCTION audit_prepare_list(name text, statement text, most integer) RETURNS void
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

-- Now page by page.
CREATE OR REPLACE FUNCTION audit_versions(record_kind text, record_id bigint) RETURNS text
LANGUAGE sql STABLE
RETURN audit_versions(record_kind, record_id, 0, 1000);
