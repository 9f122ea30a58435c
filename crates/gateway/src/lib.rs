//! What every component shares at the edge.
