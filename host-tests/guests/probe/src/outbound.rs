//! Requests to other servers and to other components.

use std::time::Duration;

use bytes::Bytes;
use spin_sdk::http::FullBody;
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::time::sleep;
use spin_sdk::wasip3::http::types::RequestOptions;
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;

use crate::{Answer, Call, failing};

/// Sends the body to the URL in the argument `url`, with a header of its own and the time limits in the other arguments.
pub(crate) async fn send(call: &Call) -> Answer {
    let request = failing(
        http::Request::post(call.argument("url"))
            .header("x-caller", "probe")
            .extension(RequestOptionsExtension(time_limits(call)?))
            .body(FullBody::new(Bytes::from(call.body.clone()))),
    )?;
    let response = failing(spin_sdk::http::send(request).await)?;
    let status = response.status();
    let body = failing(response.into_body().bytes().await)?;
    Ok(format!("{status}\n{}", String::from_utf8_lossy(&body)))
}

/// The same once the response is away, and prints what came back.
pub(crate) fn send_after(call: Call) -> String {
    wit_bindgen::spawn(async move {
        sleep(Duration::from_millis(call.milliseconds())).await;
        match send(&call).await {
            Ok(answer) => println!("after: {answer}"),
            Err(error) => println!("after: error {error}"),
        }
    });
    "answered".to_owned()
}

/// Those that the arguments give, in milliseconds; the host's own for the others.
fn time_limits(call: &Call) -> Result<RequestOptions, String> {
    let limit = |name| {
        let milliseconds = call.argument(name).parse::<u64>().ok();
        milliseconds.map(|milliseconds| milliseconds * 1_000_000)
    };
    let options = RequestOptions::new();
    failing(options.set_connect_timeout(limit("connect")))?;
    failing(options.set_first_byte_timeout(limit("first-byte")))?;
    failing(options.set_between_bytes_timeout(limit("between-bytes")))?;
    Ok(options)
}
