//! Staged caches: the writer, the reader, and what happens when things go wrong.

mod data;
mod layout;
#[path = "../peer/mod.rs"]
mod peer;
mod round;
mod samples;
