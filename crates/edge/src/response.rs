//! A response as the host takes it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::counted::Counting;

/// A response as the host takes it.
pub type HttpResponse = http::Response<ResponseBody>;

/// The body of a response, in one piece. The host asks for what is behind it once it has taken the piece, and not at all if the client has
/// gone away: neither Spin nor wasmtime tells a component of that in another way.
#[allow(missing_debug_implementations, reason = "there is nothing to show")]
pub struct ResponseBody {
    piece: Bytes,
    /// Nothing for what is no request of a client.
    counting: Option<Counting>,
}

impl ResponseBody {
    pub(crate) fn new(piece: Bytes, counting: Option<Counting>) -> Self {
        Self { piece, counting }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = std::mem::take(&mut self.piece);
        if !piece.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(counting) = self.counting.take() {
            counting.taken();
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.piece.len()).unwrap_or_default())
    }
}
