//! What becomes of markup and secrets: nothing of them is kept, and nothing else is lost.

mod corpus;
mod markup;
mod ordinary;
mod properties;
mod records;
mod secrets;
