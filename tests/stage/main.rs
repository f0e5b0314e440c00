//! Staged caches: the writer, the reader, and what happens when things go wrong.

mod data;
mod layout;
mod lines;
#[allow(dead_code)]
#[path = "../peer/mod.rs"]
mod peer;
mod bad;
mod kill;
mod round;
mod rules;
mod safety;
mod samples;
