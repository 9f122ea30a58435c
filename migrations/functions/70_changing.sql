-- PATCH, DELETE and the states a record went through.

-- JSON merge patch, RFC 7396 section 2.
CREATE OR REPLACE FUNCTION audit_merge_patch(target jsonb, patch jsonb) RETURNS jsonb
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
-- becomes unfinished), `end_before_start`, `steps_exceed_total` or `too_large`. `asking` is the request: what it did in a
-- statement that came before is not done again.
CREATE OR REPLACE FUNCTION audit_patch(
    record_kind text, record_id bigint, patch jsonb, caller text, vector_db boolean, asking uuid
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

    IF old.request = asking OR EXISTS (
        SELECT FROM audit_version AS v WHERE v.kind = record_kind AND v.id = record_id AND v.request = asking
    ) THEN
        RETURN '{"outcome":"updated","record":' || audit_json(old) || '}';
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
        new.request := asking;
        PERFORM audit_replace(old, new, vector_db);
    END IF;

    RETURN (
        SELECT '{"outcome":"' || outcome || '","record":' || audit_json(a) || '}'
        FROM audit AS a
        WHERE a.kind = record_kind AND a.id = record_id
    );
END
$$;

-- Hides a record. It stays in its table, and its versions show who hid it and when. False where
-- there is none to hide, but for one that the same request (`asking`) hid in a statement that came before.
CREATE OR REPLACE FUNCTION audit_delete(
    record_kind text, record_id bigint, caller text, vector_db boolean, asking uuid
) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    old audit;
    new audit;
BEGIN
    SELECT * INTO old
    FROM audit AS a
    WHERE a.kind = record_kind AND a.id = record_id
    FOR UPDATE;
    IF NOT FOUND OR old.deleted_at IS NOT NULL THEN
        RETURN coalesce(old.request = asking, false);
    END IF;
    new := old;
    new.deleted_at := clock_timestamp();
    new.changed_by := caller;
    new.request := asking;
    PERFORM audit_replace(old, new, vector_db);
    RETURN true;
END
$$;

-- The states of a record, oldest first, as the answer's body: those after the version `after`, at most `page_limit`, and
-- fewer where the page would become too large. Null where there is no such record.
CREATE OR REPLACE FUNCTION audit_versions(
    record_kind text, record_id bigint, after bigint, page_limit bigint
) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH page AS MATERIALIZED (
        SELECT version, state::text AS state
        FROM audit_version
        WHERE kind = record_kind AND id = record_id AND version > after
        UNION ALL
        SELECT version, audit_state_json(a)::text
        FROM audit AS a
        WHERE kind = record_kind AND id = record_id AND version > after
        ORDER BY version
        LIMIT page_limit + 1
    ), shown AS (
        SELECT version, state
        FROM (
            SELECT
                version,
                state,
                row_number() OVER (ORDER BY version) AS position,
                sum(octet_length(state)) OVER (ORDER BY version) AS bytes
            FROM page
        ) AS p
        WHERE position <= page_limit AND (position = 1 OR bytes <= audit_page_bytes())
    )
    SELECT concat(
        '{"kind":', to_json(record_kind), ',"id":', record_id,
        ',"versions":[', (SELECT string_agg(state, ',' ORDER BY version) FROM shown),
        '],"next_cursor":', coalesce(
            (
                SELECT '"' || max(shown.version) || '"'
                FROM shown
                HAVING max(shown.version) < (SELECT max(page.version) FROM page)
            ),
            'null'
        ), '}'
    )
    WHERE EXISTS (SELECT FROM audit AS a WHERE a.kind = record_kind AND a.id = record_id);
END;
