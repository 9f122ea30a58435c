//! Clients that read one after the other, and must always be answered.

use patience::{Progress, Stop};
use tokio::task::JoinHandle;

use crate::support::Client;

const READERS: usize = 6;

pub(crate) struct Readers {
    stop: Stop,
    answers: Progress,
    tasks: Vec<JoinHandle<()>>,
}

async fn read(client: Client, id: i64, stop: Stop, answers: Progress) {
    while !stop.requested() {
        let list = client.get("/api/v1/query/remediation?limit=5").await;
        list.expect(200);
        client.record("remediation", id).await;
        answers.step();
    }
}

impl Readers {
    /// Some that read a list and this record.
    pub(crate) fn start(client: &Client, id: i64) -> Self {
        let (stop, answers) = (Stop::default(), Progress::default());
        let tasks = (0..READERS)
            .map(|_| tokio::spawn(read(client.clone(), id, stop.clone(), answers.clone())))
            .collect();
        Self {
            stop,
            answers,
            tasks,
        }
    }

    /// Waits until each of them has had some more answers.
    pub(crate) async fn go_on(&self) {
        self.answers.more(10 * READERS, "reads are answered").await;
    }

    /// Ends it. Each answer was a 200.
    pub(crate) async fn stop(self) {
        self.stop.request();
        for task in self.tasks {
            task.await.expect("only answers with the status 200");
        }
    }
}
