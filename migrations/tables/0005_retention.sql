-- What retention knows of a kind's month: its archive, until when it stays, and that it was dropped.
CREATE TABLE audit_retention (
    kind        text        NOT NULL,
    month       date        NOT NULL, -- its first day
    -- The archive that `cargo xtask archive` wrote last; null where there is none, and while one is being written.
    archived_at timestamptz,
    records     bigint,
    sha256      text,
    -- Whether a record of the month has changed since the archive was begun.
    changed     boolean     NOT NULL DEFAULT false,
    -- The month stays until then: it is being archived, or was restored.
    kept_until  timestamptz NOT NULL DEFAULT '-infinity',
    dropped_at  timestamptz,                    -- the last time
    dropped     bigint      NOT NULL DEFAULT 0, -- records, all times together
    PRIMARY KEY (kind, month)
);

ALTER TABLE audit_detached
    -- A table of versions or vectors, which belong to no kind, is named here before it is taken out.
    ADD COLUMN attached boolean NOT NULL DEFAULT false,
    -- How many records are done.
    ADD COLUMN records  bigint  NOT NULL DEFAULT 0;
