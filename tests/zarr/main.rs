//! Zarr stores: what other programs write and read, what copies keep, and what happens to damaged ones and to writers that are stopped.
#![cfg(feature = "zarr")]

mod copies;
mod damage;
mod faults;
mod interop;
mod labels;
mod ranks;
mod stores;
mod tool;
mod writers;

#[path = "../peer/mod.rs"]
mod peer;
