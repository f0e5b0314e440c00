//! Staged caches: the writer, the reader, and what happens when things go wrong.

mod data;
mod layout;
