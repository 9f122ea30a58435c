-- The request that made a version of a record. A statement that is repeated, because its connection broke after the
-- commit, finds its own request there and answers as it would have the first time.
ALTER TABLE audit ADD COLUMN request uuid;
ALTER TABLE audit_version ADD COLUMN request uuid;
ALTER TYPE audit_post ADD ATTRIBUTE request uuid;

-- A procedure of that name takes its place, because it must not hold its locks until all is done.
DROP FUNCTION IF EXISTS audit_drop_partitions(timestamptz);

-- Months that retention has taken out of their tables, until what they left elsewhere is deleted.
CREATE TABLE audit_detached (
    leaf  text   PRIMARY KEY,
    -- The last record whose traces are deleted.
    after bigint NOT NULL DEFAULT 0
);
