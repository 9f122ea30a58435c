-- The token buckets of the rate limit. Unlogged: they are counted hundreds of times a second, and a crash costs a caller nothing
-- but a full bucket.
CREATE UNLOGGED TABLE audit_rate_limit (
    identity  text             PRIMARY KEY,  -- the full user name
    tokens    double precision NOT NULL,     -- what was left at that time
    filled_at timestamptz      NOT NULL
)
-- Room beside each row for its next version, so that no index is touched.
WITH (fillfactor = 10);
