//! What it counts.

use api_server::{Account, Counts, Fault, Review, Token};
use futures::future::join_all;
use hyper::Request;
use patience::{until, within};

use crate::client::{Fixture, Protocol, path, token_review};

#[tokio::test]
async fn reviews_are_counted_by_token_and_those_at_once() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let fixture = Fixture::start().await.speaking(protocol);
        count_five_at_once(&fixture).await;
    }
}

async fn count_five_at_once(fixture: &Fixture) {
    let account = Account::new("kubernaut-system", "gateway-sa");
    let (token, unknown) = (fixture.server.issue(&account), Token::forged(&account));
    fixture.server.fail(Review::Token, Fault::Hang);
    {
        let hanging = async {
            join_all((0..5).map(|_| fixture.review(token.as_str(), &[]))).await;
        };
        let all_there = until("five reviews", async || {
            fixture.server.counts().under_way == 5
        });
        tokio::select! {
            () = hanging => panic!("a hanging review was answered"),
            () = all_there => {}
        }
    }
    // Their client went away.
    until("no reviews", async || {
        fixture.server.counts().under_way == 0
    })
    .await;
    fixture.server.recover();
    fixture.review(unknown.as_str(), &[]).await;
    let expected = Counts {
        token_reviews: 6,
        most_under_way: 5,
        ..Counts::default()
    };
    assert_eq!(fixture.server.counts(), expected);
    assert_eq!(fixture.server.reviews_of(&token), 5);
    assert_eq!(fixture.server.reviews_of(&unknown), 1);

    fixture.server.reset_counts();
    assert_eq!(fixture.server.counts(), Counts::default());
    assert_eq!(fixture.server.reviews_of(&token), 0);
}

#[tokio::test]
async fn it_remembers_the_traces_of_reviews() {
    let fixture = Fixture::start().await;
    let body = token_review("unknown", &[]).to_string();
    for trace in [None, Some("00-a-b-01")] {
        let bearer = format!("Bearer {}", fixture.credential.as_str());
        let mut request = Request::post(path(Review::Token)).header("authorization", bearer);
        if let Some(trace) = trace {
            request = request.header("traceparent", trace);
        }
        let answer = fixture.client.send(request, body.clone()).await;
        answer.expect("an answer").created();
    }
    let expected = [None, Some("00-a-b-01".to_owned())];
    assert_eq!(fixture.server.traceparents(), expected);
}

#[tokio::test]
async fn it_goes_away_and_comes_back_at_the_same_address() {
    let mut fixture = Fixture::start().await;
    let token = fixture
        .server
        .issue(&Account::new("kubernaut-system", "gateway-sa"));
    let url = fixture.server.url();
    fixture.review(token.as_str(), &[]).await;
    fixture.server.stop().await;
    assert!(fixture.ask_about(token.as_str(), &[]).await.is_err());
    fixture.server.restart().await.expect("the same port");
    assert_eq!(fixture.server.url(), url);
    let status = within("an answer", fixture.review(token.as_str(), &[])).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(fixture.server.reviews_of(&token), 2);
    assert!(format!("{:?}", fixture.server).starts_with("ApiServer"));
}
