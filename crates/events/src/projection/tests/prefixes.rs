//! However many steps the projection takes, its records are the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;

/// Everything that the tests know of, also what does not go together.
fn pool() -> Vec<Map<String, Value>> {
    let more = [
        requested(2),
        signal(30),
        life_cycle(5, "verifying_started", json!({})),
        life_cycle(
            50,
            "failed",
            json!({"failure_reason": "Timeout", "message": "too slow"}),
        ),
        life_cycle(70, "transitioned", json!({"to_phase": "TimedOut"})),
        analysed(90, "aianalysis.analysis.failed", json!({"reason": "Other"})),
        workflow_created(171),
        run(
            175,
            "workflow.failed",
            "we-retry",
            json!({"failure_message": "exited 137"}),
        ),
        run(
            176,
            "workflow.failed",
            "we-rr-7c1e",
            json!({"completed_at": "2026-03-01T09:00:00Z"}),
        ),
        effect(310, "health.assessed", json!({"assessed": false})),
        event(
            20,
            "workflowexecution.block.cleared",
            json!({}),
            json!({"clear_reason": "r"}),
        ),
        event(21, "aiagent.llm.request", json!({}), json!({"model": "m"})),
    ];
    whole().into_iter().chain(more).collect()
}

/// Any of the events, in any order.
fn chains() -> impl Strategy<Value = Vec<Map<String, Value>>> {
    let all = pool();
    let count = all.len();
    subsequence(all, 0..=count).prop_shuffle()
}

/// Columns and document of a record, and its rank.
type Stored = (Map<String, Value>, Map<String, Value>, Option<u8>);

/// Stores a record as the life cycle of records has it.
fn store(stored: &mut BTreeMap<(String, [u8; 32]), Stored>, record: Record) {
    let key = (record.kind.to_string(), record.key);
    let Some((columns, document, rank)) = stored.get_mut(&key) else {
        stored.insert(key, (record.columns, record.document, record.rank));
        return;
    };
    assert_eq!(columns["name"], record.columns["name"], "a conflict");
    assert_eq!(
        columns["namespace"], record.columns["namespace"],
        "a conflict"
    );
    assert!(
        record.rank >= *rank,
        "stale: {rank:?}, then {:?}",
        record.rank
    );
    columns.extend(record.columns);
    document.extend(record.document);
    *rank = record.rank;
}

proptest! {
    #[test]
    fn every_beginning_is_valid_and_always_the_same(chain in chains()) {
        for end in 0..=chain.len() {
            let beginning = &chain[..end];
            let posts = project(CORRELATION, beginning);
            prop_assert_eq!(&posts, &project(CORRELATION, beginning));
            for post in posts {
                prop_assert!(post.clone().read(now()).is_some(), "{:?}", post);
            }
        }
    }

    #[test]
    fn steps_end_where_one_leap_does(chain in chains(), steps in prop::collection::vec(1_usize..6, 0..30)) {
        let mut step_by_step = BTreeMap::new();
        let mut end = 0;
        for step in steps {
            end = (end + step).min(chain.len());
            for record in records(&chain[..end]) {
                store(&mut step_by_step, record);
            }
        }
        let mut at_once = BTreeMap::new();
        for record in records(&chain) {
            store(&mut step_by_step, record.clone());
            store(&mut at_once, record);
        }
        prop_assert_eq!(step_by_step, at_once);
    }
}
