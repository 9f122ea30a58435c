//! Tests on a simulated clock and scripted servers.

mod embedding;
mod poison;
mod traces;
mod vector_db;
