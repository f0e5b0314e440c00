//! The tree in memory, as its users see it.

mod caput;
mod growing;
mod names;
mod references;
mod selections;
mod sharing;
mod threads;

use memh5::selection::Item;
use memh5::tree::{Fill, GroupSpec, Layout, Link, NewLink, ObjectRef, Region, RegionKind, RegionRef, tree_equal};
use memh5::{AnyArray, DType, ErrorKind, Filter, MemAttrs, MemDataset, MemDatasetCommon, MemGroup, Result, Selection, prelude::*};
use ndarray::{Array, Array2, ArrayD, IxDyn, array};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

type Test = Result<()>;

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    let error = result.expect_err("an error");
    assert!(!error.message().is_empty());
    error.kind()
}

/// Runs the work on another thread and fails if it does not end: it would wait for a lock.
fn must_not_wait<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(work()));
    receive.recv_timeout(Duration::from_secs(30)).expect("the call waits for somebody")
}
