//! What a database is made of, as text that can be compared.

use std::collections::BTreeSet;

use tokio_postgres::Client;

/// Each gives lines about one sort of object in the current schema. Not those of extensions, and not what an upgrade
/// has set aside.
const QUERIES: [&str; 6] = [
    // Tables, views, sequences, composite types.
    "SELECT concat_ws(' ', 'relation', relname, relkind, relpersistence, reloptions,
                      pg_get_expr(relpartbound, oid), pg_get_partkeydef(oid),
                      CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) END)
     FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace AND relkind NOT IN ('i', 'I', 't') AND relname !~ '^replaced_'",
    "SELECT concat_ws(' ', 'column', c.relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull,
                      attgenerated, attidentity, attstorage, pg_get_expr(adbin, adrelid))
     FROM pg_class AS c
     JOIN pg_attribute AS a ON a.attrelid = c.oid
     LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE relnamespace = current_schema()::regnamespace AND relkind NOT IN ('i', 'I', 't') AND relname !~ '^replaced_' AND attnum > 0",
    "SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
     FROM pg_constraint WHERE connamespace = current_schema()::regnamespace",
    "SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid)
     FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid
     WHERE c.relnamespace = current_schema()::regnamespace",
    "SELECT concat_ws(' ', 'function', pg_get_functiondef(f.oid))
     FROM pg_proc AS f
     WHERE pronamespace = current_schema()::regnamespace
        AND proname !~ '^replaced_'
        AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')",
    "SELECT concat_ws(' ', 'sequence', seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin,
                      seqcycle)
     FROM pg_sequence",
];

/// The lines about all objects.
pub(crate) async fn catalog(client: &Client) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for query in QUERIES {
        let rows = client.query(query, &[]).await.expect("the catalog");
        lines.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    assert!(lines.len() > 20, "{lines:?}");
    lines
}

/// Fails, and says which lines only one of two databases has.
#[track_caller]
pub(crate) fn assert_equal(upgraded: &BTreeSet<String>, fresh: &BTreeSet<String>) {
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
        let lines: Vec<_> = these.difference(those).cloned().collect();
        lines.join("\n")
    };
    let (left, right) = (only(upgraded, fresh), only(fresh, upgraded));
    assert!(
        left.is_empty() && right.is_empty(),
        "only after the upgrade:\n{left}\n\nonly when made anew:\n{right}"
    );
}
