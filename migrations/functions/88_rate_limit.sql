-- The rate limit.

-- Takes up to `wanted` tokens out of the bucket of `caller`, which fills with `per_second` tokens a second up to `burst`. Returns how
-- many it took and, if that is fewer than wanted, after how many milliseconds there is another one: `4 0`, `0 7`.
CREATE OR REPLACE FUNCTION audit_lease(caller text, wanted bigint, per_second bigint, burst bigint) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    bucket    audit_rate_limit;
    present   timestamptz;
    available double precision;
    granted   bigint;
BEGIN
    SELECT * INTO bucket FROM audit_rate_limit WHERE identity = caller FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_rate_limit (identity, tokens, filled_at)
        VALUES (caller, burst, clock_timestamp())
        ON CONFLICT (identity) DO NOTHING;
        -- Whoever has not called for a day has a full bucket anyway.
        DELETE FROM audit_rate_limit
        WHERE identity IN (
            SELECT b.identity FROM audit_rate_limit AS b
            WHERE b.filled_at < clock_timestamp() - interval '1 day'
            LIMIT 100
            FOR UPDATE SKIP LOCKED
        );
        SELECT * INTO bucket FROM audit_rate_limit WHERE identity = caller FOR UPDATE;
    END IF;

    -- Only now: it may have waited for the row.
    present := clock_timestamp();
    -- The clock may have been set back: then nothing came in.
    available := least(
        burst,
        bucket.tokens + per_second * greatest(0, extract(epoch FROM present - bucket.filled_at))::double precision
    );
    granted := least(wanted, floor(available)::bigint);
    UPDATE audit_rate_limit
    SET tokens = available - granted, filled_at = present
    WHERE identity = caller;

    RETURN format(
        '%s %s',
        granted,
        CASE
            WHEN granted = wanted THEN 0
            ELSE ceil(1000 * (1 - (available - granted)) / per_second)::bigint
        END
    );
END
$$;
