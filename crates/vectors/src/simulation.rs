//! Tests on a simulated clock and scripted servers.

mod embedding;
mod poison;
mod vector_db;
