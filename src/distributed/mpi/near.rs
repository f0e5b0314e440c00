//! Ranks that may read each other's memory: one copy from where the bytes lie to where they go, and no messages.
//!
//! Linux lets a process read the memory of another one of its user on the same machine (`process_vm_readv`; MPI libraries carry long messages by it).
//! Whether the ranks of a communicator may is tried once: each reads a number that the others have drawn. What fails later makes them fall back to messages.

use super::raw::RawComm;
use super::reduce::smallest_words;
use crate::distributed::stream::{Offered, Run};
use crate::error::{Result, error};
use std::hash::{BuildHasher, RandomState};

/// The processes of the ranks, if all may read the memory of all. Collective.
pub(super) fn meet(comm: RawComm, size: usize) -> Result<Option<Vec<u64>>> {
    let drawn = [(); 2].map(|()| RandomState::new().hash_one(std::process::id()));
    let number: Box<[u8]> = drawn.map(u64::to_ne_bytes).as_flattened().into();
    let all = comm.all_gather_words([u64::from(std::process::id()), number.as_ptr().addr() as u64, drawn[0], drawn[1]], size)?;
    let seen = all.iter().all(|[process, at, first, second]| {
        let mut found = [0; 16];
        let run = Run { from: 0, to: 0, len: found.len() };
        let there = Memory { process: *process, start: *at as usize, len: found.len() };
        there.read(&[run], &mut found).is_ok() && found == *[*first, *second].map(u64::to_ne_bytes).as_flattened()
    });
    // Also waits until all have looked at the number.
    let [seen] = smallest_words(comm, [u64::from(seen)])?;
    drop(number);
    Ok((seen == 1).then(|| all.iter().map(|[process, ..]| *process).collect()))
}

/// Lets the ranks read each other's bytes while they do their work. False if one was not willing or failed. Collective.
pub(super) fn offer(
    comm: RawComm,
    processes: &[u64],
    bytes: &[u8],
    willing: bool,
    work: &mut dyn FnMut(&dyn Offered) -> Result<()>,
) -> Result<bool> {
    let mine = [u64::from(willing), bytes.as_ptr().addr() as u64, bytes.len() as u64];
    let all = comm.all_gather_words(mine, processes.len())?;
    if all.iter().any(|[willing, ..]| *willing == 0) {
        return Ok(false);
    }
    let memories =
        all.iter().zip(processes).map(|([_, at, len], process)| Memory { process: *process, start: *at as usize, len: *len as usize });
    let done = work(&Memories(memories.collect()));
    // Also keeps the bytes where they are until all have read them.
    let [done] = smallest_words(comm, [u64::from(done.is_ok())])?;
    Ok(done == 1)
}

/// Bytes of another process.
struct Memory {
    process: u64,
    start: usize,
    len: usize,
}

struct Memories(Vec<Memory>);

impl Offered for Memories {
    fn read(&self, rank: usize, runs: &[Run], into: &mut [u8]) -> Result<()> {
        self.0.get(rank).ok_or_else(|| error!(InvalidArgument, "there is no rank {rank}"))?.read(runs, into)
    }
}

impl Memory {
    #[cfg(target_os = "linux")]
    fn read(&self, runs: &[Run], into: &mut [u8]) -> Result<()> {
        let beyond = |at: usize, run: &Run, len: usize| at.checked_add(run.len).is_none_or(|end| end > len);
        if runs.iter().any(|run| beyond(run.from, run, self.len) || beyond(run.to, run, into.len())) {
            return Err(error!(InvalidArgument, "bytes beyond the end of what is offered"));
        }
        let (mut there, mut here): (Vec<Part>, Vec<Part>) = (Vec::with_capacity(runs.len()), Vec::with_capacity(runs.len()));
        let target = into.as_mut_ptr();
        for run in runs {
            append(&mut there, self.start + run.from, run.len);
            append(&mut here, target.addr() + run.to, run.len);
        }
        let wanted: usize = runs.iter().map(|run| run.len).sum();
        let process = std::ffi::c_int::try_from(self.process).unwrap_or(-1);
        // SAFETY: every place here lies within `into`, which is borrowed for writing (its address was exposed above); a place of the other process that
        // is not there is an error of the call.
        let got = unsafe {
            let _ = target.expose_provenance();
            process_vm_readv(process, here.as_ptr(), here.len() as u64, there.as_ptr(), there.len() as u64, 0)
        };
        if usize::try_from(got) == Ok(wanted) {
            return Ok(());
        }
        Err(error!(Io, "the memory of process {} cannot be read", self.process).because(std::io::Error::last_os_error()))
    }

    #[cfg(not(target_os = "linux"))]
    fn read(&self, _runs: &[Run], _into: &mut [u8]) -> Result<()> {
        let _ = (self.start, self.len);
        Err(error!(Unsupported, "the memory of process {} cannot be read on this system", self.process))
    }
}

/// A range of addresses, as the C library's `iovec`.
#[cfg(target_os = "linux")]
#[repr(C)]
struct Part {
    start: usize,
    len: usize,
}

#[cfg(target_os = "linux")]
fn append(parts: &mut Vec<Part>, start: usize, len: usize) {
    match parts.last_mut() {
        Some(last) if last.start + last.len == start => last.len += len,
        _ => parts.push(Part { start, len }),
    }
}

#[cfg(target_os = "linux")]
unsafe extern "C" {
    fn process_vm_readv(
        process: std::ffi::c_int,
        here: *const Part,
        here_count: std::ffi::c_ulong,
        there: *const Part,
        there_count: std::ffi::c_ulong,
        flags: std::ffi::c_ulong,
    ) -> isize;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_process_are_read_and_nothing_beyond() {
        let from: Vec<u8> = (0..100).collect();
        let memory = Memory { process: u64::from(std::process::id()), start: from.as_ptr().expose_provenance(), len: from.len() };
        let mut to = [0; 20];
        let run = |from, to, len| Run { from, to, len };
        memory.read(&[run(90, 3, 10), run(0, 13, 2), run(2, 15, 1)], &mut to).unwrap();
        assert_eq!(to[..3], [0; 3]);
        assert_eq!(to[3..13], from[90..]);
        assert_eq!(to[13..], [0, 1, 2, 0, 0, 0, 0]);
        memory.read(&[], &mut to).unwrap();
        for wrong in [run(95, 0, 6), run(0, 15, 6), run(usize::MAX, 0, 2)] {
            assert!(memory.read(&[wrong], &mut to).is_err());
        }
        let nowhere = Memory { process: memory.process, start: 8, len: 100 };
        assert!(nowhere.read(&[run(0, 0, 4)], &mut to).is_err());
    }
}
