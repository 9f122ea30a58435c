-- Timelines: the records of a correlation id or a remediation request, oldest first.

-- A page of the records of a correlation id or a remediation request, oldest first, as the answer's body.
-- Records are put in order first; only those of the page are made JSON of.
CREATE OR REPLACE FUNCTION audit_timeline_page(
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
CREATE OR REPLACE FUNCTION audit_timeline(correlation text, page_limit bigint, page_offset bigint) RETURNS text
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
