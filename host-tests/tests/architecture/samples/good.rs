async fn waits() {
    until("it is there", async || condition().await).await;
    // Time itself: it expires.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Time itself: it must not be sooner, which takes
    // a second line to say.
    assert!(began.elapsed() >= Duration::from_secs(1));
    db.execute("SELECT pg_sleep(1)").await;
}

async fn ends() {
    let deadline = Deadline::start();
    while !condition().await {
        deadline.pause("the condition").await;
    }
    for round in 0.. {
        deadline.check("a round");
        look().await;
    }
    while !self.stop.requested() {
        look().await;
    }
    for round in 0..5 {
        look().await;
    }
    while let Ok(connection) = listener.accept().await {
        tokio::spawn(serve(connection));
    }
    loop {
        if let Some(found) = list.pop() {
            return found;
        }
    }
}
