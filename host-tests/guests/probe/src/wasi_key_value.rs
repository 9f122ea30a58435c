//! Key-value stores by `wasi:keyvalue`, whose calls are synchronous.

use spin_sdk::experimental::wasi::keyvalue::atomics::{self, Cas, CasError};
use spin_sdk::experimental::wasi::keyvalue::batch;
use spin_sdk::experimental::wasi::keyvalue::store::{self, Bucket};

use crate::{Answer, Call, failing, open_many, shown};

pub(crate) async fn run(operation: &str, call: &Call) -> Answer {
    if operation == "open" {
        return open_both(call).await;
    }
    let bucket = failing(store::open(&call.argument("store")))?;
    let key = call.argument("key");
    let keys: Vec<_> = key.split(',').map(str::to_owned).collect();
    match operation {
        "get" => failing(bucket.get(&key)).map(shown),
        "set" => failing(bucket.set(&key, call.body.as_bytes())).map(|()| String::new()),
        "delete" => failing(bucket.delete(&key)).map(|()| String::new()),
        "exists" => failing(bucket.exists(&key)).map(|there| there.to_string()),
        "keys" => list(&bucket, call),
        "get-many" => failing(batch::get_many(&bucket, &keys)).map(|pairs| {
            let pairs = pairs
                .into_iter()
                .map(|(key, value)| format!("{key} {}", shown(value)));
            pairs.collect::<Vec<_>>().join(",")
        }),
        "set-many" => {
            let pairs = call.body.split(',').filter_map(|pair| pair.split_once('='));
            let pairs: Vec<_> = pairs
                .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
                .collect();
            failing(batch::set_many(&bucket, &pairs)).map(|()| String::new())
        }
        "delete-many" => failing(batch::delete_many(&bucket, &keys)).map(|()| String::new()),
        "increment" => {
            let delta = failing(call.argument("delta").parse())?;
            failing(atomics::increment(&bucket, &key, delta)).map(|sum| sum.to_string())
        }
        "swap" => swap(&bucket, &key, call),
        "swaps" => {
            for _ in 0..call.number("times") {
                swap(&bucket, &key, call)?;
            }
            Ok(String::new())
        }
        "begin" => {
            begin_many(&bucket, &key, call)?;
            begin_many(&bucket, &key, call)
        }
        _ => Err(format!("no operation {operation:?}")),
    }
}

fn list(bucket: &Bucket, call: &Call) -> Answer {
    let cursor = call.argument("cursor");
    let cursor = Some(cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let mut page = failing(bucket.list_keys(cursor))?;
    page.keys.sort();
    page.keys.extend(page.cursor);
    Ok(page.keys.join(","))
}

/// Puts the body in the place of what is there. It looks first unless the argument `blind` is set, and sets the argument
/// `meanwhile` in between. What it says of a swap that failed is what the new handle sees; then it swaps by that.
fn swap(bucket: &Bucket, key: &str, call: &Call) -> Answer {
    let cas = failing(Cas::new(bucket, key))?;
    if call.argument("blind").is_empty() {
        failing(cas.current())?;
    }
    let meanwhile = call.argument("meanwhile");
    if !meanwhile.is_empty() {
        failing(bucket.set(key, meanwhile.as_bytes()))?;
    }
    let value = call.body.as_bytes();
    match atomics::swap(cas, value) {
        Ok(()) => Ok("swapped".to_owned()),
        Err(CasError::StoreError(error)) => Err(format!("{error:?}")),
        Err(CasError::CasFailed(again)) => {
            let seen = failing(again.current())?;
            failing(atomics::swap(again, value))?;
            Ok(format!("swapped for {}", shown(seen)))
        }
    }
}

/// Begins as many swaps as the argument `times` says, and forgets none before all are begun.
fn begin_many(bucket: &Bucket, key: &str, call: &Call) -> Answer {
    let begun = (0..call.number("times")).map(|_| failing(Cas::new(bucket, key)));
    let begun = begun.collect::<Result<Vec<_>, _>>()?;
    Ok(begun.len().to_string())
}

/// Opens a store as many times as the argument `times` says, once it was opened by the other interface as many times as
/// `others` says, and closes none before all are open.
async fn open_both(call: &Call) -> Answer {
    let others = open_many(call, "others").await?;
    let label = call.argument("store");
    let open = (0..call.number("times")).map(|_| failing(store::open(&label)));
    let open = open.collect::<Result<Vec<_>, _>>()?;
    Ok((others.len() + open.len()).to_string())
}
