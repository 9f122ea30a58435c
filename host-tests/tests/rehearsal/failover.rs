//! A primary is lost under load, and its replica takes over.

use database::connect;
use patience::{Deadline, until};
use tokio::task::block_in_place;

use crate::address::Address;
use crate::documented::{documented, run};
use crate::load::{Load, STORE};
use crate::primary::{self, DATABASE, until_ready, variables};
use crate::support::Client;
use crate::support::payloads::{fresh, remediation};
use crate::support::service::{Host, start_host};

/// Clients must be answered within five seconds after the address has moved. Counted in looks, of which there are at most
/// fifty in a second, because a slow machine must not fail the test.
const BACK_WITHIN: u32 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over_and_nothing_acknowledged_is_lost() {
    let [replicating, waiting_for_it] = documented::<2>("Have a replica");
    let [taking_over] = documented::<1>("Fail over");
    let mut old = primary::start(&[]).await;
    let new = old.another(&[], |data| run(&old, &replicating, &[("DATA", data)]));
    let new = block_in_place(|| new.unwrap());
    run(&old, &waiting_for_it, &[]).unwrap();
    // As in a replica that was made after that.
    run(&new, &waiting_for_it, &[]).unwrap();
    until_synchronous(&old.url(DATABASE)).await;

    let address = Address::of(old.port()).await;
    let variables = variables(&address.instead_of(&old.url(DATABASE)));
    let hosts = [
        start_host(variables.clone()).await,
        start_host(variables).await,
    ];
    let clients = hosts.each_ref().map(Host::client);
    let load = Load::start(&clients).await;
    load.goes_on(300).await;
    assert_eq!(load.refused(), 0);

    old.kill().unwrap();
    load.is_refused().await;
    for client in &clients {
        client.get("/ready").await.expect(503);
        let list = client.get("/api/v1/query/remediation").await;
        list.problem(503, "service-unavailable");
    }
    block_in_place(|| run(&new, &taking_over, &[])).unwrap();
    address.move_to(new.port());
    for client in &clients {
        let looks = until_answered(client).await;
        assert!(looks < BACK_WITHIN, "back after {looks} looks");
    }
    load.goes_on(300).await;

    let written = load.stop().await;
    for client in &clients {
        until_ready(client).await;
        written.is_stored(client).await;
        written.is_recognised(client).await;
    }
    for host in hosts {
        host.stop().await;
    }
}

/// Waits until commits wait for the replica.
async fn until_synchronous(url: &str) {
    let db = connect(url).await.unwrap();
    let count = "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
    until("commits wait for the replica", async || {
        db.query_one(count, &[]).await.unwrap().get(0)
    })
    .await;
}

/// Waits until a write and a read are answered; returns how many looks said that they are not.
async fn until_answered(client: &Client) -> u32 {
    let record = remediation(&fresh("failover"), &fresh("rr"));
    let mut looks = 0;
    let deadline = Deadline::start();
    loop {
        deadline.pause("the service answers").await;
        let write = client.post(STORE, &record).await;
        let read = client.get("/api/v1/query/remediation?limit=1").await;
        if write.status == 201 && read.status == 200 {
            return looks;
        }
        for refused in [write, read]
            .iter()
            .filter(|answer| !answer.status.is_success())
        {
            refused.problem(503, "service-unavailable");
        }
        looks += 1;
    }
}
