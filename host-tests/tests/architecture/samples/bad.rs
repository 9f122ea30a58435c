async fn sleeps() {
    tokio::time::sleep(Duration::from_secs(1)).await;
    // It must have happened by now.
    sleep(Duration::from_secs(1)).await;
    let end = timeout(Duration::from_secs(1), work()).await;
    assert!(began.elapsed() < Duration::from_secs(1));
}

async fn hangs() {
    while !condition().await {}
    loop {
        look().await;
    }
    for round in 0.. {
        look().await;
    }
    loop {
        tokio::select! {
            () = one() => {}
            () = other() => {}
        }
    }
    other.check("not a deadline");
}
