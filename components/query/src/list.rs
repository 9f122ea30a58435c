//! Lists: newest first, page by page.

use gateway::database::{self, Parameter};
use gateway::{Call, Filter, Page, Reply, Result};

/// The records of one kind.
pub(crate) async fn audits(call: Call) -> Result<Reply> {
    let list = List {
        kind: call.kind()?.as_str(),
        row: "audit_json(a)",
        body: AUDITS,
    };
    list.read(call).await
}

/// The remediations, as incidents.
pub(crate) async fn incidents(call: Call) -> Result<Reply> {
    let list = List {
        kind: "remediation",
        row: "incident_json(a)",
        body: INCIDENTS,
    };
    list.read(call).await
}

/// A kind of list.
struct List {
    kind: &'static str,
    /// What makes a row's JSON.
    row: &'static str,
    /// What makes the answer's JSON of `list`.
    body: &'static str,
}

const AUDITS: &str = r#"'{"audits":' || list.rows
        || ',"total":' || list.total || list.estimated
        || ',"limit":' || list.page_limit
        || ',"offset":' || list.page_offset
        || ',"next_cursor":' || coalesce('"' || list.next_cursor || '"', 'null') || '}'"#;

const INCIDENTS: &str = r#"'{"data":' || list.rows
        || ',"pagination":{"limit":' || list.page_limit
        || ',"offset":' || list.page_offset
        || ',"total":' || list.total || list.estimated
        || ',"has_more":' || CASE WHEN list.next_cursor IS NULL THEN 'false' ELSE 'true' END
        || ',"next_cursor":' || coalesce('"' || list.next_cursor || '"', 'null') || '}}'"#;

impl List {
    async fn read(&self, call: Call) -> Result<Reply> {
        let mut parameters = call.parameters()?;
        let filter = Filter::take(&mut parameters)?;
        let page = Page::take(&mut parameters)?;
        parameters.finish()?;

        let (statement, parameters) = self.statement(&filter, &page);
        let body = database::text(&call.config, &statement, &parameters).await?;
        Ok(Reply::json_text(body.unwrap_or_default()))
    }

    /// One statement for rows, total and cursor. One row more than asked is read, to know whether
    /// there is a next page; a page also ends before it becomes larger than the host takes. Matching
    /// rows are counted up to 100 000; beyond that the planner's estimate has to do.
    fn statement(&self, filter: &Filter, page: &Page) -> (String, Vec<Parameter>) {
        let mut parameters = vec![
            Parameter::Str(self.kind.to_owned()),
            Parameter::Int64(page.limit),
            Parameter::Int64(page.offset),
            Parameter::Str(filter.to_json()),
        ];
        let matching = filter.to_sql(&mut parameters);
        let after = match page.before {
            Some(id) => {
                parameters.push(Parameter::Int64(id));
                format!("\n        AND a.id < ${}", parameters.len())
            }
            None => String::new(),
        };
        let Self { row, body, .. } = self;
        let statement = format!(
            r#"
WITH page AS MATERIALIZED (
    SELECT a.id, {row} AS body
    FROM audit AS a
    WHERE a.kind = $1
        AND a.deleted_at IS NULL{matching}{after}
    ORDER BY a.id DESC
    LIMIT $2::bigint + 1 OFFSET $3::bigint
), shown AS (
    SELECT id, body
    FROM (
        SELECT
            id,
            body,
            row_number() OVER newest_first AS position,
            sum(octet_length(body::text)) OVER newest_first AS bytes
        FROM page
        WINDOW newest_first AS (ORDER BY id DESC)
    ) AS p
    WHERE position <= $2::bigint AND (position = 1 OR bytes <= audit_page_bytes())
), counted AS (
    SELECT count(*) AS n
    FROM (
        SELECT FROM audit AS a
        WHERE a.kind = $1
            AND a.deleted_at IS NULL{matching}
        LIMIT 100001
    ) AS a
), list AS (
    SELECT
        (SELECT coalesce(json_agg(body ORDER BY id DESC), '[]')::text FROM shown) AS rows,
        CASE
            WHEN n <= 100000 THEN n
            ELSE greatest(n, audit_estimate($1, $4::text::jsonb))
        END AS total,
        CASE WHEN n <= 100000 THEN '' ELSE ',"total_is_estimate":true' END AS estimated,
        $2::bigint AS page_limit,
        $3::bigint AS page_offset,
        CASE
            WHEN (SELECT count(*) FROM page) > (SELECT count(*) FROM shown) THEN (SELECT min(id) FROM shown)
        END AS next_cursor
    FROM counted
)
SELECT {body} FROM list"#
        );
        (statement, parameters)
    }
}
