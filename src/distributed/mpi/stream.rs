//! Many messages between two ranks, of which several are under way.
//!
//! What is sent or received at its place is posted at once. What is packed or unpacked passes through a window of buffers: a rank packs the next message
//! while MPI carries those before it, and does not wait for its partner until the window is full.

use super::messages::{STREAM, pieces};
use super::raw::{RawComm, at, at_mut, byte, check, count, received};
use super::reporting::Reporting;
use super::requests::Requests;
use crate::distributed::stream::{Incoming, Outgoing, Packed, Unpacked, resize};
use crate::error::{Result, error};
use mpi::ffi::{self, MPI_Request, MPI_Status};
use std::collections::VecDeque;
use std::ffi::c_int;
use std::mem::MaybeUninit;

/// How many messages are under way on each side.
const WINDOW: usize = 8;

/// Longer messages at their place are cut; MPI counts in C ints.
const LIMIT: usize = 1 << 30;

/// A message under way that owns its buffer, so that nothing else can touch it, not even if this is leaked.
struct Flight {
    buffer: Vec<u8>,
    request: MPI_Request,
    /// The rank from which so many bytes are to come.
    from: Option<usize>,
}

impl Flight {
    fn send(comm: RawComm, buffer: Vec<u8>, to: usize) -> Result<Self> {
        let mut request = MaybeUninit::uninit();
        let n = count(buffer.len())?;
        // SAFETY: the buffer stays where it is, and untouched, until the request is done: only `land` gives it back, and the drop waits.
        let request = unsafe {
            check(ffi::MPI_Isend(at(&buffer), n, byte(), to as c_int, STREAM, comm.0, request.as_mut_ptr()), "MPI_Isend")?;
            request.assume_init()
        };
        Ok(Self { buffer, request, from: None })
    }

    fn receive(comm: RawComm, mut buffer: Vec<u8>, from: usize) -> Result<Self> {
        let mut request = MaybeUninit::uninit();
        let n = count(buffer.len())?;
        // SAFETY: as in `send`.
        let request = unsafe {
            check(ffi::MPI_Irecv(at_mut(&mut buffer), n, byte(), from as c_int, STREAM, comm.0, request.as_mut_ptr()), "MPI_Irecv")?;
            request.assume_init()
        };
        Ok(Self { buffer, request, from: Some(from) })
    }

    /// Waits until it is done, checks it, and gives the buffer back.
    fn land(mut self) -> Result<Vec<u8>> {
        let status = self.finish()?;
        if let Some(from) = self.from {
            let (got, wanted) = (received(&status)?, self.buffer.len());
            if got != wanted {
                return Err(error!(Collective, "rank {from} sent {got} bytes where {wanted} were expected").on_rank(from));
            }
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    fn finish(&mut self) -> Result<MPI_Status> {
        let (mut status, _reporting) = (MaybeUninit::<MPI_Status>::zeroed(), Reporting::begin());
        // SAFETY: the request is the one that was made, or the null request that MPI leaves when it is done; zeros are a valid status.
        unsafe {
            check(ffi::MPI_Wait(&raw mut self.request, status.as_mut_ptr()), "a message")?;
            Ok(status.assume_init())
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// Waits until one of both is done. True if it is the first.
fn first_done(first: &mut Flight, second: &mut Flight) -> Result<bool> {
    let _reporting = Reporting::begin();
    loop {
        for (flight, answer) in [(&mut *first, true), (&mut *second, false)] {
            let (mut flag, mut status): (c_int, _) = (0, MaybeUninit::<MPI_Status>::zeroed());
            // SAFETY: the request is valid; it is only looked at, and stays to be waited for.
            check(unsafe { ffi::MPI_Request_get_status(flight.request, &raw mut flag, status.as_mut_ptr()) }, "MPI_Request_get_status")?;
            if flag != 0 {
                return Ok(answer);
            }
        }
        // There may be more ranks than cores.
        std::thread::yield_now();
    }
}

/// Messages to a rank that are packed.
struct Sender<'a> {
    to: usize,
    packed: Packed<'a>,
    next: usize,
    window: VecDeque<Flight>,
}

impl Sender<'_> {
    fn open(&self) -> bool {
        self.next < self.packed.lengths.len()
    }

    fn launch(&mut self, comm: RawComm) -> Result<()> {
        let mut buffer = if self.window.len() < WINDOW { Vec::new() } else { self.land()? };
        let Some(length) = self.packed.lengths.get(self.next) else { return Ok(()) };
        self.next += 1;
        resize(&mut buffer, *length)?;
        (self.packed.pack)(&mut buffer);
        self.window.push_back(Flight::send(comm, buffer, self.to)?);
        Ok(())
    }

    fn land(&mut self) -> Result<Vec<u8>> {
        self.window.pop_front().map_or(Ok(Vec::new()), Flight::land)
    }
}

/// Messages from a rank that are unpacked.
struct Receiver<'a> {
    from: usize,
    unpacked: Unpacked<'a>,
    next: usize,
    window: VecDeque<Flight>,
}

impl Receiver<'_> {
    fn launch(&mut self, comm: RawComm, mut buffer: Vec<u8>) -> Result<()> {
        let Some(length) = self.unpacked.lengths.get(self.next) else { return Ok(()) };
        self.next += 1;
        resize(&mut buffer, *length)?;
        self.window.push_back(Flight::receive(comm, buffer, self.from)?);
        Ok(())
    }

    fn land(&mut self, comm: RawComm) -> Result<()> {
        let Some(flight) = self.window.pop_front() else { return Ok(()) };
        let buffer = flight.land()?;
        (self.unpacked.unpack)(&buffer);
        self.launch(comm, buffer)
    }
}

pub(super) fn run(comm: RawComm, send: Option<(usize, Outgoing<'_>)>, recv: Option<(usize, Incoming<'_>)>) -> Result<()> {
    let mut at_once = Requests::new(comm);
    let (mut sender, mut receiver) = (None, None);
    match recv {
        Some((from, Incoming::Here(places))) => {
            for place in places {
                let cuts = pieces(place.len(), LIMIT);
                let mut rest = place;
                for cut in cuts {
                    let (piece, after) = std::mem::take(&mut rest).split_at_mut(cut.len());
                    rest = after;
                    at_once.receive(piece, from, STREAM)?;
                }
            }
        }
        Some((from, Incoming::Unpacked(unpacked))) => {
            let mut side = Receiver { from, unpacked, next: 0, window: VecDeque::with_capacity(WINDOW) };
            for _ in 0..WINDOW {
                side.launch(comm, Vec::new())?;
            }
            receiver = Some(side);
        }
        None => {}
    }
    match send {
        Some((to, Outgoing::Here(messages))) => {
            for message in messages {
                for cut in pieces(message.len(), LIMIT) {
                    at_once.send(message.get(cut).unwrap_or_default(), to, STREAM)?;
                }
            }
        }
        Some((to, Outgoing::Packed(packed))) => {
            sender = Some(Sender { to, packed, next: 0, window: VecDeque::with_capacity(WINDOW) });
        }
        None => {}
    }
    let mut sender = sender.filter(Sender::open);
    while let Some(side) = &mut sender {
        let full = side.window.len() >= WINDOW;
        // With the window full, whatever is done first goes on.
        let other = receiver.as_mut().and_then(|other| other.window.front_mut());
        let packs = match (full, side.window.front_mut(), other) {
            (true, Some(mine), Some(other)) => first_done(mine, other)?,
            _ => true,
        };
        match (packs, &mut receiver) {
            (false, Some(other)) => other.land(comm)?,
            _ => side.launch(comm)?,
        }
        if !side.open() {
            break;
        }
    }
    while let Some(other) = receiver.as_mut().filter(|other| !other.window.is_empty()) {
        other.land(comm)?;
    }
    while let Some(side) = sender.as_mut().filter(|side| !side.window.is_empty()) {
        side.land()?;
    }
    at_once.wait()
}
