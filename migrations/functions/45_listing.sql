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

-- How many visible records of a kind there are, as the planner knows it since the last analyze.
CREATE OR REPLACE FUNCTION audit_size(record_kind text) RETURNS bigint
LANGUAGE sql STABLE
RETURN (
    SELECT sum(greatest(leaf.reltuples, 0) * coalesce(hidden.null_frac, 1))::bigint
    FROM pg_inherits AS month
    JOIN pg_class AS leaf ON leaf.oid = month.inhrelid
    JOIN pg_namespace AS home ON home.oid = leaf.relnamespace
    LEFT JOIN pg_stats AS hidden
        ON hidden.schemaname = home.nspname
        AND hidden.tablename = leaf.relname
        AND hidden.attname = 'deleted_at'
    WHERE month.inhparent = audit_table(record_kind)
);

-- Whether the index on namespaces alone tells which records match `filter`.
CREATE OR REPLACE FUNCTION audit_is_covered(filter jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN filter ? 'namespace'
    AND filter ?| ARRAY['severity', 'status', 'phase', 'environment']
    AND filter - ARRAY['namespace', 'severity', 'status', 'phase', 'environment', 'since', 'until'] = '{}';

-- The statement of a list. Its parameters are $1 the id before which it starts, $2 the filter, $3 the total if that is
-- known and $4 whether that is an estimate, $5 how many records a page has and $6 how many are left out before it, and from
-- $7 on the filter's values.
--
-- `counting` is `known` (the total is $3), `exact` (all that match are counted) or `usual` (up to 10 000 are counted;
-- beyond that the planner's estimate has to do). `carried` says whether the cursor has the total, so that the next page
-- need not count.
--
-- One statement for rows, total and cursor. One row more than asked is read, to know whether there is a next
-- page; a page also ends before it becomes larger than the host takes. The kind is in the text: of the other
-- kinds' months the plan is to know nothing.
CREATE OR REPLACE FUNCTION audit_page_statement(
    form text, record_kind text, filter jsonb, counting text, carried boolean
) RETURNS text
LANGUAGE sql STABLE
RETURN format(
    $statement$
WITH page AS MATERIALIZED (
%1$s
), last AS MATERIALIZED (
    -- The last record of the page. The window has sizes only, because it copies what it has.
    SELECT min(id) AS id
    FROM (
        SELECT id, row_number() OVER newest_first AS position, sum(size) OVER newest_first AS bytes
        FROM (SELECT id, octet_length(body) AS size FROM page) AS p
        WINDOW newest_first AS (ORDER BY id DESC)
    ) AS p
    WHERE position <= $5 AND (position = 1 OR bytes <= audit_page_bytes())
), counted AS MATERIALIZED (
%2$s
), list AS (
    SELECT
        (SELECT string_agg(body, ',' ORDER BY id DESC) FROM page WHERE id >= (SELECT id FROM last)) AS rows,
        coalesce(total::text, 'null') AS total,
        CASE WHEN is_estimate THEN ',"total_is_estimate":true' END AS estimated,
        (
            SELECT '"' || id || %3$s || '"'
            FROM last
            WHERE EXISTS (SELECT FROM page WHERE page.id < last.id)
        ) AS next_cursor
    FROM counted
)
SELECT %4$s FROM list
$statement$,
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
        LIMIT $5 + 1 OFFSET $6
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
    LIMIT $5 + 1 OFFSET $6
            $page$
        END,
        CASE form WHEN 'audits' THEN 'audit_json(a)' ELSE 'incident_json(a)' END,
        record_kind,
        audit_conditions(filter, 7),
        audit_table(record_kind)
    ),
    format(
        CASE counting
            WHEN 'known' THEN 'SELECT $3 AS total, $4 AS is_estimate'
            WHEN 'exact' THEN
                'SELECT count(*) AS total, false AS is_estimate FROM %1$s AS a WHERE a.deleted_at IS NULL%2$s'
            ELSE
                $count$
    SELECT
        CASE WHEN n <= 10000 THEN n ELSE greatest(n, audit_estimate(%3$L, $2)) END AS total,
        n > 10000 AS is_estimate
    FROM (
        SELECT count(*) AS n
        FROM (SELECT FROM %1$s AS a WHERE a.deleted_at IS NULL%2$s LIMIT 10001) AS a
    ) AS counted
                $count$
        END,
        audit_table(record_kind),
        audit_conditions(filter, 7),
        record_kind
    ),
    CASE WHEN carried
        THEN $total$ coalesce('-' || total || CASE WHEN is_estimate THEN 'e' ELSE '' END, '') $total$
        ELSE $total$ '' $total$
    END,
    -- concat, because each || would copy the whole page. It leaves out what is null.
    CASE form
        WHEN 'audits' THEN
            $body$ concat(
                '{"audits":[', rows, '],"total":', total, estimated,
                ',"limit":', $5, ',"offset":', $6,
                ',"next_cursor":', coalesce(next_cursor, 'null'), '}'
            ) $body$
        ELSE
            $body$ concat(
                '{"data":[', rows, '],"pagination":{"limit":', $5, ',"offset":', $6,
                ',"total":', total, estimated,
                ',"has_more":', to_json(next_cursor IS NOT NULL),
                ',"next_cursor":', coalesce(next_cursor, 'null'), '}}'
            ) $body$
    END
);

-- Prepares a list, and gives up those that this connection has if there are `most`: each takes memory.
CREATE OR REPLACE FUNCTION audit_prepare_page(name text, statement text, most integer) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    prepared text[] := ARRAY(
        SELECT p.name FROM pg_prepared_statements AS p WHERE starts_with(p.name, 'audit_page_')
    );
    other    text;
BEGIN
    IF cardinality(prepared) >= most THEN
        FOREACH other IN ARRAY prepared LOOP
            EXECUTE format('DEALLOCATE %I', other);
        END LOOP;
    END IF;
    EXECUTE format('PREPARE %I (bigint, jsonb, bigint, boolean, bigint, bigint) AS %s', name, statement);
END
$$;

-- A page of the records of a kind that match `filter` (see `audit_conditions`; without `kinds`), newest first, as
-- the answer's body. `form` is `audits` or `incidents`; `before` is the id where the page before ended, or null.
--
-- `total` says what is wanted of the total: `usual` and `exact` as `audit_page_statement` counts; `none`; `counted` or
-- `estimated`, if the page before said `known`; or `previous`, which is `usual` with cursors as the release before this
-- one reads them. All records of a kind are not counted where the planner knows of half as many again as are counted at most.
--
-- Planning takes longer than reading, because it looks at every month twice. The host prepares nothing, so the
-- statement is prepared here, for the connection's life and for all filters of the same members and all pages. Its plan
-- does not depend on their values. It walks an index from the newest record on, which is right for frequent values and
-- for rare ones; without the switches the planner, which does not know how few records a page has, would sort.
CREATE OR REPLACE FUNCTION audit_list(
    form text,
    record_kind text,
    filter jsonb,
    before bigint,
    page_limit bigint,
    page_offset bigint,
    total text,
    known bigint
) RETURNS text
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_bitmapscan = off SET enable_seqscan = off SET enable_sort = off
AS $$
DECLARE
    counting    text := 'known';
    is_estimate boolean := total = 'estimated';
    members     text;
    arguments   text;
    name        text;
    list        text;
    body        text;
BEGIN
    IF total IN ('usual', 'previous') AND filter = '{}' THEN
        known := nullif(greatest(audit_size(record_kind), 15000), 15000);
        is_estimate := known IS NOT NULL;
    END IF;
    IF total = 'exact' OR (total IN ('usual', 'previous') AND known IS NULL) THEN
        counting := CASE total WHEN 'exact' THEN 'exact' ELSE 'usual' END;
    END IF;
    SELECT string_agg(f.key, ' '), string_agg(format(', %L', f.value), '') INTO members, arguments
    FROM jsonb_each_text(filter) AS f;
    name := 'audit_page_' || md5(concat_ws(' ', form, record_kind, counting, total = 'previous', members));
    list := format(
        'EXECUTE %I (%s, %L, %L, %L, %s, %s%s)',
        name, coalesce(before, 9223372036854775807), filter, known, is_estimate, page_limit, page_offset, arguments
    );
    BEGIN
        EXECUTE list INTO body;
    EXCEPTION WHEN invalid_sql_statement_name THEN
        PERFORM audit_prepare_page(
            name, audit_page_statement(form, record_kind, filter, counting, total <> 'previous'), 32
        );
        EXECUTE list INTO body;
    END;
    RETURN body;
END
$$;
