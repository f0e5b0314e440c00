//! Work on chunks, on all cores.
//!
//! With threads of its own, not those of a pool: a caller may hold a lock and be a task of a pool itself, which would then be given other tasks
//! that wait for that lock.

use crate::error::{Result, error};
use parking_lot::Mutex;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

/// Below so many bytes threads cost more than they save.
const SMALL: usize = 1 << 19;

/// How many threads work of so many bytes is worth.
pub(super) fn threads(bytes: usize) -> usize {
    if bytes < SMALL {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(16)
}

/// Calls the function for every item. After the first error no more items are begun.
pub(super) fn for_each<T: Send>(threads: usize, items: Vec<T>, f: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.into_iter().try_for_each(f);
    }
    let (items, failed) = (Mutex::new(items.into_iter()), AtomicBool::new(false));
    let work = || -> Result<()> {
        while !failed.load(Ordering::Relaxed) {
            let Some(item) = items.lock().next() else { break };
            f(item).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut result = work();
        for other in others {
            let ended = other.join().unwrap_or_else(|_| Err(error!(Io, "a thread that worked on chunks ended")));
            result = result.and(ended);
        }
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn every_item_is_worked_on_once_and_errors_come_out() {
        let sum = AtomicUsize::new(0);
        for_each(4, (0..1000).collect(), |n: usize| {
            sum.fetch_add(n, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert_eq!(sum.into_inner(), 499_500);
        let result = for_each(4, (0..1000).collect(), |n: usize| if n == 500 { Err(error!(Corrupt, "it")) } else { Ok(()) });
        assert!(result.is_err());
    }
}
