//! Values between the interface and the wire, with Spin's choice of types.
//!
//! Two of Spin's peculiarities are kept on purpose: a `timestamptz` has a data type but cannot be
//! read (its value has a zone, the interface's has none), and a `datetime` parameter cannot be
//! bound to one; `timestamp` parameters, in seconds, can.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804:
//! `crates/factor-outbound-pg/src/types/convert.rs`.

mod adapters;

use anyhow::{Context as _, Result, anyhow};
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _, Utc};
use postgres_range::{BoundSided, BoundType, Normalizable, Range, RangeBound};
use rust_decimal::Decimal;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};
use uuid::Uuid;

use crate::bindings::postgres::{DbDataType, DbValue, ParameterValue, RangeBoundKind};
use adapters::{Null, Raw, WireDecimal, WireInterval};

/// A range of the interface: lower and upper bound, none is unbounded.
type WitRange<T> = (Option<(T, RangeBoundKind)>, Option<(T, RangeBoundKind)>);

/// The interface's name of a column's type.
pub(super) fn data_type(pg: &Type) -> DbDataType {
    match *pg {
        Type::BOOL => DbDataType::Boolean,
        Type::BYTEA => DbDataType::Binary,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => DbDataType::Datetime,
        Type::DATE => DbDataType::Date,
        Type::TIME => DbDataType::Time,
        Type::UUID => DbDataType::Uuid,
        Type::JSONB => DbDataType::Jsonb,
        Type::NUMERIC => DbDataType::Decimal,
        Type::INT4_RANGE => DbDataType::RangeInt32,
        Type::INT8_RANGE => DbDataType::RangeInt64,
        Type::NUM_RANGE => DbDataType::RangeDecimal,
        Type::INT4_ARRAY => DbDataType::ArrayInt32,
        Type::INT8_ARRAY => DbDataType::ArrayInt64,
        Type::NUMERIC_ARRAY => DbDataType::ArrayDecimal,
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => DbDataType::ArrayStr,
        Type::INTERVAL => DbDataType::Interval,
        _ => DbDataType::Other(pg.name().to_owned()),
    }
}

/// A value of a row. A type outside the interface's list comes back as its bytes, unsupported.
pub(super) fn from_sql(row: &Row, index: usize) -> Result<DbValue> {
    use DbValue as V;
    match *row.columns()[index].type_() {
        Type::BOOL => read(row, index, V::Boolean),
        Type::BYTEA => read(row, index, V::Binary),
        Type::FLOAT4 => read(row, index, V::Floating32),
        Type::FLOAT8 => read(row, index, V::Floating64),
        Type::INT2 => read(row, index, V::Int16),
        Type::INT4 => read(row, index, V::Int32),
        Type::INT8 => read(row, index, V::Int64),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => read(row, index, V::Str),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => read(row, index, |v| V::Datetime(datetime(v))),
        Type::DATE => read(row, index, |v| V::Date(date(v))),
        Type::TIME => read(row, index, |v| V::Time(time(v))),
        Type::UUID => read(row, index, |v: Uuid| V::Uuid(v.to_string())),
        Type::JSONB => read(row, index, |v: serde_json::Value| {
            V::Jsonb(v.to_string().into())
        }),
        Type::NUMERIC => read(row, index, |v: Decimal| V::Decimal(v.to_string())),
        Type::INT4_RANGE => read(row, index, |v: Range<i32>| V::RangeInt32(range(&v, |x| *x))),
        Type::INT8_RANGE => read(row, index, |v: Range<i64>| V::RangeInt64(range(&v, |x| *x))),
        Type::NUM_RANGE => read(row, index, |v: Range<WireDecimal>| {
            V::RangeDecimal(range(&v, |x| x.0.to_string()))
        }),
        Type::INT4_ARRAY => read(row, index, V::ArrayInt32),
        Type::INT8_ARRAY => read(row, index, V::ArrayInt64),
        Type::NUMERIC_ARRAY => read(row, index, |v: Vec<Option<Decimal>>| {
            V::ArrayDecimal(v.into_iter().map(|d| Some(d?.to_string())).collect())
        }),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => {
            read(row, index, V::ArrayStr)
        }
        Type::INTERVAL => read(row, index, |v: WireInterval| V::Interval(v.0)),
        _ => read(row, index, |v: Raw| V::Unsupported(v.0)),
    }
}

fn read<'a, T: FromSql<'a>>(
    row: &'a Row,
    index: usize,
    convert: impl FnOnce(T) -> DbValue,
) -> Result<DbValue> {
    let value: Option<T> = row.try_get(index)?;
    Ok(value.map_or(DbValue::DbNull, convert))
}

/// A parameter for the driver.
pub(super) fn to_sql(value: &ParameterValue) -> Result<Box<dyn ToSql + Send + Sync>> {
    use ParameterValue as P;
    Ok(match value {
        P::Boolean(v) => Box::new(*v),
        P::Int8(v) => Box::new(*v),
        P::Int16(v) => Box::new(*v),
        P::Int32(v) => Box::new(*v),
        P::Int64(v) => Box::new(*v),
        P::Floating32(v) => Box::new(*v),
        P::Floating64(v) => Box::new(*v),
        P::Str(v) => Box::new(v.clone()),
        P::Binary(v) => Box::new(v.clone()),
        P::Date(v) => Box::new(parse_date(*v)?),
        P::Time(v) => Box::new(parse_time(*v)?),
        P::Datetime((year, month, day, hour, minute, second, nanosecond)) => {
            let date = parse_date((*year, *month, *day))?;
            let time = parse_time((*hour, *minute, *second, *nanosecond))?;
            Box::new(NaiveDateTime::new(date, time))
        }
        P::Timestamp(v) => {
            let time = DateTime::<Utc>::from_timestamp(*v, 0);
            Box::new(time.with_context(|| format!("invalid epoch timestamp {v}"))?)
        }
        P::Uuid(v) => Box::new(Uuid::parse_str(v).with_context(|| format!("invalid UUID {v}"))?),
        P::Jsonb(v) => {
            let json = serde_json::from_slice::<serde_json::Value>(v);
            Box::new(json.with_context(|| format!("invalid JSON {}", String::from_utf8_lossy(v)))?)
        }
        P::Decimal(v) => Box::new(parse_decimal(v)?),
        P::RangeInt32(v) => Box::new(parse_range(v, |v| Ok(*v))?),
        P::RangeInt64(v) => Box::new(parse_range(v, |v| Ok(*v))?),
        P::RangeDecimal(v) => Box::new(parse_range(v, |v| parse_decimal(v).map(WireDecimal))?),
        P::ArrayInt32(v) => Box::new(v.clone()),
        P::ArrayInt64(v) => Box::new(v.clone()),
        P::ArrayDecimal(v) => {
            let decimals = v
                .iter()
                .map(|v| v.as_deref().map(parse_decimal).transpose());
            Box::new(decimals.collect::<Result<Vec<_>>>()?)
        }
        P::ArrayStr(v) => Box::new(v.clone()),
        P::Interval(v) => Box::new(WireInterval(*v)),
        P::DbNull => Box::new(Null),
    })
}

/// The memory that a value takes, in bytes; Spin's measure for the limit of a result.
pub(super) fn size(value: &DbValue) -> usize {
    use DbValue as V;
    let beyond = match value {
        V::Str(v) | V::Uuid(v) | V::Decimal(v) => v.len(),
        V::Jsonb(v) | V::Binary(v) | V::Unsupported(v) => v.len(),
        V::ArrayInt32(v) => size_of_val(v.as_slice()),
        V::ArrayInt64(v) => size_of_val(v.as_slice()),
        V::ArrayDecimal(v) | V::ArrayStr(v) => {
            let texts: usize = v.iter().flatten().map(String::len).sum();
            size_of_val(v.as_slice()) + texts
        }
        _ => 0,
    };
    size_of::<DbValue>() + beyond
}

fn date(v: NaiveDate) -> (i32, u8, u8) {
    (v.year(), small(v.month()), small(v.day()))
}

fn time(v: NaiveTime) -> (u8, u8, u8, u32) {
    (
        small(v.hour()),
        small(v.minute()),
        small(v.second()),
        v.nanosecond(),
    )
}

fn datetime(v: NaiveDateTime) -> (i32, u8, u8, u8, u8, u8, u32) {
    let (year, month, day) = date(v.date());
    let (hour, minute, second, nanosecond) = time(v.time());
    (year, month, day, hour, minute, second, nanosecond)
}

/// A part of a date or time, which is at most 60.
fn small(part: u32) -> u8 {
    u8::try_from(part).unwrap_or(u8::MAX)
}

fn parse_date((year, month, day): (i32, u8, u8)) -> Result<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month.into(), day.into())
        .ok_or_else(|| anyhow!("invalid date y={year}, m={month}, d={day}"))
}

fn parse_time((hour, minute, second, nanosecond): (u8, u8, u8, u32)) -> Result<NaiveTime> {
    NaiveTime::from_hms_nano_opt(hour.into(), minute.into(), second.into(), nanosecond)
        .ok_or_else(|| anyhow!("invalid time {hour}:{minute}:{second}:{nanosecond}"))
}

fn parse_decimal(text: &str) -> Result<Decimal> {
    Decimal::from_str_exact(text).with_context(|| format!("invalid decimal {text}"))
}

fn range<T: Normalizable + PartialOrd, W>(
    range: &Range<T>,
    convert: impl Fn(&T) -> W,
) -> WitRange<W> {
    let kind = |kind| match kind {
        BoundType::Inclusive => RangeBoundKind::Inclusive,
        BoundType::Exclusive => RangeBoundKind::Exclusive,
    };
    let lower = range
        .lower()
        .map(|bound| (convert(&bound.value), kind(bound.type_)));
    let upper = range
        .upper()
        .map(|bound| (convert(&bound.value), kind(bound.type_)));
    (lower, upper)
}

fn parse_range<W, T: Normalizable + PartialOrd>(
    (lower, upper): &WitRange<W>,
    convert: impl Fn(&W) -> Result<T>,
) -> Result<Range<T>> {
    Ok(Range::new(
        parse_bound(lower.as_ref(), &convert)?,
        parse_bound(upper.as_ref(), &convert)?,
    ))
}

fn parse_bound<S: BoundSided, W, T: Normalizable + PartialOrd>(
    bound: Option<&(W, RangeBoundKind)>,
    convert: impl Fn(&W) -> Result<T>,
) -> Result<Option<RangeBound<S, T>>> {
    let Some((value, kind)) = bound else {
        return Ok(None);
    };
    let kind = match kind {
        RangeBoundKind::Inclusive => BoundType::Inclusive,
        RangeBoundKind::Exclusive => BoundType::Exclusive,
    };
    Ok(Some(RangeBound::new(convert(value)?, kind)))
}
