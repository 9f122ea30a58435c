-- Finding records by how near their vectors are to another one. A vector is in `audit_vector` and its HNSW
-- indexes, or in `audit_vector_tail`, where it landed; searches look at both, under one snapshot,
-- because all functions here that read are STABLE.
--
-- Where numbers come from: `cargo xtask bench recall` and `tail`, docs/performance.md.

-- Whether HNSW scans go on after `hnsw.ef_search` candidates, as they do since pgvector 0.8. Asked of the
-- library rather than of `pg_extension`, which may be behind it; the caller has loaded it.
CREATE OR REPLACE FUNCTION audit_scans_on() RETURNS boolean
LANGUAGE sql STABLE
RETURN current_setting('hnsw.iterative_scan', true) IS NOT NULL;

-- What `hnsw.ef_search` must be in each partition so that searching all of them finds what one graph
-- searched with `ef` finds. Measured at 100 000 records, recall@10 of 0.99 takes 100 in one month and 30 in
-- each of twelve: a near record that one graph hides is one of few in it, and they are smaller.
CREATE OR REPLACE FUNCTION audit_ef_search(ef integer, wanted integer, since bigint, until bigint) RETURNS integer
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

-- The `wanted` records nearest to `probe` among those that match `filter`, by looking at every one of them.
CREATE OR REPLACE FUNCTION audit_nearest_exact(probe vector, probe_model text, filter jsonb, wanted integer)
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
CREATE OR REPLACE FUNCTION audit_matching(hits audit_hit[], equal jsonb) RETURNS audit_hit[]
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
CREATE OR REPLACE FUNCTION audit_farthest(hits audit_hit[], wanted integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT distance FROM unnest(hits) ORDER BY distance OFFSET wanted - 1 LIMIT 1);

-- What of the tail is no farther than `farthest`: the `wanted` nearest, or all if that is null. Exact: the
-- quantised vectors say which vectors may be, and these are compared in full. The columns of the tail are named here
-- by their place, so that the first one can be renamed while the function runs (migrations/README.md).
--
-- By itself, because the switches of `audit_nearest_indexed` would have it read through the primary key, which
-- takes a third longer.
CREATE OR REPLACE FUNCTION audit_nearest_in_tail(
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
    -- How far the distance of two quantised vectors may be from that of the vectors. Half precision rounds to 11
    -- bits, so a vector of length 1 is off by at most 2^-11, and the inner product of two by 2 * 2^-11 = 0.00098;
    -- adding up 1536 products in single precision, by 1536 * 2^-24 = 0.0001.
    margin CONSTANT double precision := 0.002;
    probe_quantised CONSTANT audit_vector_tail.sketch%TYPE := audit_quantise(probe);
BEGIN
    IF farthest IS NULL THEN
        -- Null again if there are fewer than `wanted`.
        farthest := margin + (
            SELECT t.quantised <=> probe_quantised AS distance
            FROM audit_vector_tail AS t (quantised, kind, id, model, embedding)
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
            FROM audit_vector_tail AS near (quantised, kind, id, model, embedding)
            WHERE near.quantised <=> probe_quantised <= farthest + margin
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
CREATE OR REPLACE FUNCTION audit_nearest_indexed(
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
CREATE OR REPLACE FUNCTION audit_nearest(probe vector, probe_model text, filter jsonb, wanted integer, ef integer)
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
CREATE OR REPLACE FUNCTION audit_results(hits audit_hit[], min_similarity double precision) RETURNS text
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
CREATE OR REPLACE FUNCTION audit_search(
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
CREATE OR REPLACE FUNCTION audit_similar(
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
