-- What retention knows of a kind's month: its archive, until when it stays, and that it was dropped.
CREATE TABLE audit_retention (
    kind        text        NOT NULL,
    month       date        NOT NULL, -- its first day
    -- When the archive was written that `cargo xtask archive` wrote last; null where there is none, while one is being written, and
    -- if that came to nothing. Its records and its sum are those of the last whole one.
    archived_at timestamptz,
    records     bigint,
    sha256      text,
    -- Whether the month may have what the archive has not.
    changed     boolean     NOT NULL DEFAULT false,
    kept_until  timestamptz NOT NULL DEFAULT '-infinity', -- the month was restored, and stays until then
    dropped_at  timestamptz,                    -- the last time
    dropped     bigint      NOT NULL DEFAULT 0, -- records, all times together
    held_at     timestamptz,                    -- when it was last said that the month is due and not archived
    PRIMARY KEY (kind, month)
);

-- Tables that somebody used when they were to be locked. Everybody would wait behind who tries again, so nobody does for a while.
CREATE TABLE audit_retention_rest (
    relation   text        PRIMARY KEY,
    rest_until timestamptz NOT NULL,
    pause      interval    NOT NULL -- the last one; the next one is longer
);

ALTER TABLE audit_detached
    -- A table of versions or vectors, which belong to no kind, is named here before it is taken out.
    ADD COLUMN attached boolean NOT NULL DEFAULT false,
    -- How many records are done.
    ADD COLUMN records  bigint  NOT NULL DEFAULT 0,
    -- Records of the next step: fewer after one that took too long.
    ADD COLUMN batch    integer NOT NULL DEFAULT 1000;
