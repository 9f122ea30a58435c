//! Tests on a simulated clock and scripted servers.

mod embedding;
mod vector_db;
