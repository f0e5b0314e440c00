//! Waiting for all ranks, but not for ever.
//!
//! MPI's barrier cannot be left. So the ranks tell rank 0 that they are here, by messages, and rank 0 tells them what became of it. All hear the
//! same, those too that come later.
//!
//! 1. Every rank tells rank 0 that it is here (`HERE`), and rank 0 answers each (`SEEN`). A rank that is not answered in time says so
//!    (`GIVEN_UP`) and goes: rank 0 is late, and will read it when it comes.
//! 2. A rank that was answered says that it stays (`STAYS`). From then on it waits for the verdict: rank 0 is there, and its patience ends.
//! 3. Rank 0 waits at most so long until all stay, and sends everybody the numbers of the ranks that did not come (`VERDICT`): none if all
//!    are well.

use super::environment::exclusive;
use super::messages::{HERE, REPLY};
use super::raw::RawComm;
use super::requests::Requests;
use crate::distributed::communicator::late;
use crate::error::{Result, error};
use std::thread;
use std::time::{Duration, Instant};

/// The first word of what is told; the second is the number of the rendezvous.
const HERE_I_AM: u64 = 0;
const STAYS: u64 = 1;
const GIVEN_UP: u64 = 2;
const SEEN: u64 = 3;
const VERDICT: u64 = 4;

/// How long a verdict may be on its way.
const TRAVEL: Duration = Duration::from_secs(1);

/// Meets all ranks for the n-th time.
pub(super) fn meet(comm: RawComm, rank: usize, size: usize, number: u64, within: Duration) -> Result<()> {
    if size == 1 {
        Ok(())
    } else if rank == 0 {
        preside(comm, size, number, within)
    } else {
        attend(comm, number, within)
    }
}

fn preside(comm: RawComm, size: usize, number: u64, within: Duration) -> Result<()> {
    let mut stays = vec![false; size];
    if let Some(me) = stays.first_mut() {
        *me = true;
    }
    let mut patience = Patience::new(within);
    let missing = 'waiting: loop {
        while let Some((from, words)) = next(comm, None, HERE)? {
            match words.as_slice() {
                [HERE_I_AM, told] if *told == number => tell(comm, from, &[SEEN, number])?,
                [STAYS, told] if *told == number => {
                    if let Some(place) = stays.get_mut(from) {
                        *place = true;
                    }
                }
                // It was this rank that came too late.
                [GIVEN_UP, told] if *told == number => break 'waiting vec![0],
                _ => {}
            }
        }
        let missing: Vec<usize> = stays.iter().enumerate().filter_map(|(rank, stays)| (!stays).then_some(rank)).collect();
        if missing.is_empty() || patience.is_over() {
            break missing;
        }
        patience.pause();
    };
    let verdict: Vec<u64> = [VERDICT, number].into_iter().chain(missing.iter().map(|rank| *rank as u64)).collect();
    for to in 1..size {
        tell(comm, to, &verdict)?;
    }
    if missing.is_empty() { Ok(()) } else { Err(late(&missing)) }
}

fn attend(comm: RawComm, number: u64, within: Duration) -> Result<()> {
    tell(comm, 0, &[HERE_I_AM, number])?;
    let mut patience = Patience::new(within);
    let mut seen = false;
    loop {
        while let Some((_, words)) = next(comm, Some(0), REPLY)? {
            match words.as_slice() {
                [SEEN, told] if *told == number => {
                    tell(comm, 0, &[STAYS, number])?;
                    patience = Patience::new(within + TRAVEL);
                    seen = true;
                }
                [VERDICT, told, missing @ ..] if *told == number => {
                    let missing: Vec<usize> = missing.iter().map(|rank| *rank as usize).collect();
                    return if missing.is_empty() { Ok(()) } else { Err(late(&missing)) };
                }
                _ => {}
            }
        }
        if patience.is_over() {
            if seen {
                return Err(error!(Collective, "rank 0 came, but did not tell who else did").on_rank(0));
            }
            tell(comm, 0, &[GIVEN_UP, number])?;
            return Err(late(&[0]));
        }
        patience.pause();
    }
}

/// The next message with a tag, if one has come.
fn next(comm: RawComm, from: Option<usize>, tag: std::ffi::c_int) -> Result<Option<(usize, Vec<u64>)>> {
    let _turn = exclusive()?;
    let Some((from, length)) = comm.probe(from, tag)? else { return Ok(None) };
    let mut bytes = vec![0; length];
    comm.receive(&mut bytes, from, tag)?;
    let words = bytes.chunks_exact(8).filter_map(|word| word.first_chunk().map(|word| u64::from_ne_bytes(*word))).collect();
    Ok(Some((from, words)))
}

/// Sends a short message, without waiting for a receiver that may never come.
fn tell(comm: RawComm, to: usize, words: &[u64]) -> Result<()> {
    let _turn = exclusive()?;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let bytes: &'static [u8] = Box::leak(bytes.into_boxed_slice());
    let tag = if to == 0 { HERE } else { REPLY };
    let mut requests = Requests::new(comm);
    requests.send(bytes, to, tag)?;
    if requests.done()? {
        requests.wait()?;
        free(bytes);
    } else {
        // MPI keeps the message until it is taken.
        requests.forget();
    }
    Ok(())
}

/// Gives back what [`tell`] set aside.
fn free(bytes: &'static [u8]) {
    // SAFETY: the slice was made by `Box::leak` from a boxed slice of the same length, nobody else has it, and MPI is done with it.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(bytes).cast_mut()) });
}

/// Looks often at first, then seldom, until the time is over.
struct Patience {
    end: Option<Instant>,
    looks: u32,
}

impl Patience {
    fn new(within: Duration) -> Self {
        Self { end: Instant::now().checked_add(within), looks: 0 }
    }

    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    fn pause(&mut self) {
        self.looks = self.looks.saturating_add(1);
        match self.looks {
            0..200 => thread::yield_now(),
            200..400 => thread::sleep(Duration::from_micros(50)),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
}
