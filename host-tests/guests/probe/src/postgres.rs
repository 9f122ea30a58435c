//! Statements, on the connection string in the variable `database_url` or in the argument `address`.

use std::fmt::Write as _;

use spin_sdk::pg::wit::postgres::{
    Connection as RawConnection, ConnectionBuilder, Interval, RangeBoundKind,
};
use spin_sdk::pg::{Column, Connection, DbValue, ParameterValue as P};
use spin_sdk::variables;

use crate::{Answer, Call, failing};

pub(crate) async fn run(operation: &str, call: &Call) -> Answer {
    let address = match call.argument("address") {
        given if given.is_empty() => failing(variables::get("database_url").await)?,
        given => given,
    };
    match operation {
        "query" => query(&open(&address).await?, &call.body, Vec::new()).await,
        "query-sync" => query_sync(&address, &call.body),
        "execute" => {
            let done = open(&address).await?.execute(call.body.clone(), []).await;
            failing(done).map(|rows| rows.to_string())
        }
        "execute-sync" => {
            let connection = failing(RawConnection::open(&address))?;
            failing(connection.execute(&call.body, &[])).map(|rows| rows.to_string())
        }
        "build" => build(&address, call).await,
        "script" => script(&address, &call.body).await,
        "values" => values(&open(&address).await?).await,
        "first-row" => first_row(&open(&address).await?, &call.body).await,
        _ => Err(format!("no operation {operation:?}")),
    }
}

async fn open(address: &str) -> Result<Connection, String> {
    failing(Connection::open(address).await)
}

async fn query(connection: &Connection, statement: &str, parameters: Vec<P>) -> Answer {
    let mut result = failing(connection.query(statement, parameters).await)?;
    let mut rows = Vec::new();
    while let Some(row) = result.rows().next().await {
        rows.push(row);
    }
    let text = table(result.columns(), &rows);
    failing(result.result().await)?;
    Ok(text)
}

fn query_sync(address: &str, statement: &str) -> Answer {
    let connection = failing(RawConnection::open(address))?;
    let result = failing(connection.query(statement, &[]))?;
    Ok(table(&result.columns, &result.rows))
}

/// The columns, then each row on a line.
fn table(columns: &[Column], rows: &[Vec<DbValue>]) -> String {
    let mut text = String::new();
    for column in columns {
        // Writing to a String cannot fail.
        _ = write!(text, "{}:{:?} ", column.name, column.data_type);
    }
    for row in rows {
        _ = write!(text, "\n{row:?}");
    }
    text
}

/// Opens with the certificate in the body, if there is one, by `how`.
async fn build(address: &str, call: &Call) -> Answer {
    let builder = ConnectionBuilder::new(address);
    if !call.body.is_empty() {
        failing(builder.set_ca_root(&call.body))?;
    }
    match call.argument("how").as_str() {
        "sync" => failing(builder.build())?,
        _ => failing(builder.build_async().await)?,
    };
    Ok("opened".to_owned())
}

/// One statement a line; the line `reopen` gives the connection back and opens another.
async fn script(address: &str, lines: &str) -> Answer {
    let mut connection = open(address).await?;
    let mut last = String::new();
    for line in lines.lines() {
        if line == "reopen" {
            drop(connection);
            connection = open(address).await?;
        } else {
            last = query(&connection, line, Vec::new()).await?;
        }
    }
    Ok(last)
}

/// Drops a result after its first row.
async fn first_row(connection: &Connection, statement: &str) -> Answer {
    let mut result = failing(connection.query(statement, []).await)?;
    let row = result.rows().next().await;
    Ok(format!("{row:?}"))
}

/// A parameter of each kind, sent and read back; a line each.
async fn values(connection: &Connection) -> Answer {
    let bound = |value| Some((value, RangeBoundKind::Inclusive));
    let some = |text: &str| Some(text.to_owned());
    let decimals = (some("1.5"), some("2.50"));
    let decimal = |text: Option<String>| text.map(|text| (text, RangeBoundKind::Exclusive));
    let cases = [
        ("bool", P::Boolean(true)),
        ("\"char\"", P::Int8(-7)),
        ("int2", P::Int16(-300)),
        ("int4", P::Int32(i32::MIN)),
        ("int8", P::Int64(i64::MAX)),
        ("float4", P::Floating32(1.5)),
        ("float8", P::Floating64(-0.25)),
        ("text", P::Str("ünï ' \" 🦀".to_owned())),
        ("varchar", P::Str(String::new())),
        ("bytea", P::Binary(vec![0, 255])),
        ("date", P::Date((2024, 2, 29))),
        ("time", P::Time((23, 59, 58, 1000))),
        ("timestamp", P::Datetime((1999, 12, 31, 1, 2, 3, 4000))),
        ("timestamptz", P::Timestamp(0)),
        (
            "uuid",
            P::Uuid("6f9619ff-8b86-d011-b42d-00cf4fc964ff".to_owned()),
        ),
        ("jsonb", P::Jsonb(br#"{"b":[1,null],"a":"x"}"#.to_vec())),
        (
            "numeric",
            P::Decimal("12345678901234567890.12345".to_owned()),
        ),
        ("int4range", P::RangeInt32((bound(1), bound(5)))),
        (
            "int8range",
            P::RangeInt64((None, Some((9, RangeBoundKind::Exclusive)))),
        ),
        (
            "numrange",
            P::RangeDecimal((decimal(decimals.0), decimal(decimals.1))),
        ),
        ("int4[]", P::ArrayInt32(vec![Some(1), None])),
        ("int8[]", P::ArrayInt64(vec![])),
        ("numeric[]", P::ArrayDecimal(vec![some("0.10"), None])),
        ("text[]", P::ArrayStr(vec![some("a,\"b"), None])),
        (
            "interval",
            P::Interval(Interval {
                micros: 1,
                days: 2,
                months: 3,
            }),
        ),
        ("int4", P::DbNull),
        ("jsonb", P::DbNull),
        ("int4", P::Str("1".to_owned())),
        ("uuid", P::Uuid("not a uuid".to_owned())),
        ("date", P::Date((2025, 2, 30))),
    ];
    let mut text = String::new();
    for (kind, value) in cases {
        let answer = query(connection, &format!("select $1::{kind} as v"), vec![value]).await;
        let answer = answer.unwrap_or_else(|error| format!("error {error}"));
        _ = writeln!(text, "{kind} {}", answer.replace('\n', ""));
    }
    Ok(text)
}
