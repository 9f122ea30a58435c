-- Lists: pages of the records of a kind, newest first.

-- The table of a kind.
CREATE OR REPLACE FUNCTION audit_table(record_kind text) RETURNS regclass
LANGUAGE sql STABLE
RETURN CASE record_kind
    WHEN 'remediation' THEN 'remediation_audit'::regclass
    WHEN 'aianalysis' THEN 'ai_analysis_audit'::regclass
    WHEN 'workflow' THEN 'workflow_audit'::regclass
    WHEN 'execution' THEN 'execution_audit'::regclass
END;

-- How many records of a kind there are, as the planner knows it since the last analyze.
CREATE OR REPLACE FUNCTION audit_size(record_kind text) RETURNS bigint
LANGUAGE sql STABLE
RETURN (
    SELECT sum(greatest(leaf.reltuples, 0))::bigint
    FROM pg_inherits AS month
    JOIN pg_class AS leaf ON leaf.oid = month.inhrelid
    WHERE month.inhparent = audit_table(record_kind)
);

-- Whether the index on namespaces alone tells which records match `filter`.
CREATE OR REPLACE FUNCTION audit_is_covered(filter jsonb) RETURNS boolean
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

-- A page of the records of a kind that match `filter` (see `audit_conditions`; without `kinds`), newest first, as
-- the answer's body. `form` is `audits` or `incidents`; `before` is the id where the page before ended, or null.
--
-- All records of a kind are not counted where the planner knows of half as many again as are counted at most.
--
-- Planning takes longer than reading, because it looks at every month twice. The host prepares nothing, so the
-- statement is prepared here, for the connection's life and for all filters of the same members. Its plan does
-- not depend on their values. Without bitmaps it walks an index from the newest record on, which is right for
-- frequent values and for rare ones.
CREATE OR REPLACE FUNCTION audit_list(
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
