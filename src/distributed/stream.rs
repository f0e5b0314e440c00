//! Many messages between two ranks, made while others are under way.

use super::communicator::Communicator;
use crate::error::{Error, Result, error};

/// Messages to one rank, in order.
#[derive(Debug)]
pub enum Outgoing<'a> {
    /// They lie where they are sent from.
    Here(Vec<&'a [u8]>),
    /// They are made when their turn comes, each shorter than 1 GiB.
    Packed(Packed<'a>),
}

/// Messages from one rank, in order. The receiver knows their lengths.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// They lie where they are wanted.
    Here(Vec<&'a mut [u8]>),
    /// They are looked at when they have come, in order, each shorter than 1 GiB.
    Unpacked(Unpacked<'a>),
}

/// Messages that are made one by one.
pub struct Packed<'a> {
    /// The length of each.
    pub lengths: Vec<usize>,
    /// Fills the next one.
    pub pack: &'a mut dyn FnMut(&mut [u8]),
}

/// Messages that are looked at one by one.
pub struct Unpacked<'a> {
    /// The length of each.
    pub lengths: Vec<usize>,
    /// Takes the next one.
    pub unpack: &'a mut dyn FnMut(&[u8]),
}

impl std::fmt::Debug for Packed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({:?})", self.lengths)
    }
}

impl std::fmt::Debug for Unpacked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unpacked({:?})", self.lengths)
    }
}

impl Outgoing<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Here(messages) => messages.len(),
            Self::Packed(packed) => packed.lengths.len(),
        }
    }
}

impl Incoming<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Here(messages) => messages.len(),
            Self::Unpacked(unpacked) => unpacked.lengths.len(),
        }
    }
}

/// Bytes that another rank holds out, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Where they begin in what the other rank holds out.
    pub from: usize,
    /// Where they go to.
    pub to: usize,
    /// How many.
    pub len: usize,
}

/// What all ranks hold out to each other, while they do.
pub trait Offered {
    /// Copies runs of a rank's bytes to their places. Local: the other rank does nothing for it.
    ///
    /// # Errors
    /// `Io` if its memory cannot be read.
    fn read(&self, rank: usize, runs: &[Run], into: &mut [u8]) -> Result<()>;
}

/// The stream by turns: one message out and one in at a time. What a communicator does that has nothing better.
pub(super) fn by_turns<C: Communicator + ?Sized>(
    comm: &C,
    mut send: Option<(usize, Outgoing<'_>)>,
    mut recv: Option<(usize, Incoming<'_>)>,
) -> Result<()> {
    let turns = send.as_ref().map_or(0, |(_, out)| out.count()).max(recv.as_ref().map_or(0, |(_, back)| back.count()));
    let (mut packed, mut landed) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        let out = match &mut send {
            Some((to, Outgoing::Here(messages))) => messages.get(turn).map(|message| (*to, *message)),
            Some((to, Outgoing::Packed(from))) => match from.lengths.get(turn) {
                Some(length) => {
                    resize(&mut packed, *length)?;
                    (from.pack)(&mut packed);
                    Some((*to, &packed[..]))
                }
                None => None,
            },
            None => None,
        };
        match &mut recv {
            Some((from, Incoming::Here(places))) => {
                let place = places.get_mut(turn).map(|place| (*from, &mut **place));
                comm.send_recv(out, place)?;
            }
            Some((from, Incoming::Unpacked(into))) => match into.lengths.get(turn) {
                Some(length) => {
                    resize(&mut landed, *length)?;
                    comm.send_recv(out, Some((*from, &mut landed)))?;
                    (into.unpack)(&landed);
                }
                None => comm.send_recv(out, None)?,
            },
            None => comm.send_recv(out, None)?,
        }
    }
    Ok(())
}

/// Gives a buffer that length. No memory is an error, not the end.
pub(super) fn resize(buffer: &mut Vec<u8>, length: usize) -> Result<()> {
    let more = length.saturating_sub(buffer.len());
    buffer.try_reserve(more).map_err(|e| no_memory(length).because(e))?;
    buffer.resize(length, 0);
    Ok(())
}

fn no_memory(length: usize) -> Error {
    error!(Io, "no memory for a message of {length} bytes")
}
