//! The service with its surroundings changing: the database stops, fills up, hangs or lacks a month;
//! variables are wrong. Each test has a native host and a database of its own.

#[path = "../support/mod.rs"]
mod support;

mod coalescing;
mod configuration;
mod encrypted;
mod large_pages;
mod many_clients;
mod migrations;
mod months;
mod outage;
mod slow_database;
mod walking;
