//! Messages of any length, cut into pieces that MPI can count.
//!
//! A message is sent as full pieces and a last one that is shorter, perhaps empty. So a receiver that expects another length finds a piece of
//! another length, and does not take the next message for the rest of this one.

use super::raw::{RawComm, count};
use super::requests::Requests;
use crate::error::{Result, error};
use std::ffi::c_int;
use std::ops::Range;

/// What a message is for, so that those of different calls never meet.
pub(super) const PAIR: c_int = 1;
pub(super) const ALL_TO_ALL: c_int = 2;
pub(super) const GATHER: c_int = 3;
pub(super) const HERE: c_int = 4;
pub(super) const REPLY: c_int = 5;
pub(super) const STREAM: c_int = 6;

/// Broadcasts in pieces; all ranks know the length.
pub(super) fn broadcast(comm: RawComm, data: &mut [u8], root: usize, limit: usize) -> Result<()> {
    data.chunks_mut(limit).try_for_each(|piece| comm.broadcast(piece, root))
}

/// The pieces of a message: the last is shorter than the limit.
pub(super) fn pieces(length: usize, limit: usize) -> impl Iterator<Item = Range<usize>> {
    (0..=length / limit).map(move |index| index * limit..length.min((index + 1) * limit))
}

/// Sends a message and receives another at the same time, piece by piece.
pub(super) fn exchange(comm: RawComm, send: Option<(usize, &[u8])>, recv: Option<(usize, &mut [u8])>, limit: usize) -> Result<()> {
    let mut outgoing = send.map(|(to, data)| (to, data, pieces(data.len(), limit)));
    let mut incoming = recv.map(|(from, data)| {
        let pieces = pieces(data.len(), limit);
        (from, data, pieces)
    });
    loop {
        let sent = outgoing.as_mut().and_then(|(to, data, pieces)| Some((*to, data.get(pieces.next()?)?)));
        let received = incoming.as_mut().and_then(|(from, data, pieces)| Some((*from, data.get_mut(pieces.next()?)?)));
        if sent.is_none() && received.is_none() {
            return Ok(());
        }
        let mut requests = Requests::new(comm);
        if let Some((from, place)) = received {
            requests.receive(place, from, PAIR)?;
        }
        if let Some((to, data)) = sent {
            requests.send(data, to, PAIR)?;
        }
        requests.wait()?;
    }
}

/// Exchanges messages with all ranks at once. The lengths of what comes are known.
pub(super) fn all_to_all(comm: RawComm, rank: usize, data: &[&[u8]], came: &mut [Vec<u8>], limit: usize) -> Result<()> {
    let size = data.len();
    let mut requests = Requests::new(comm);
    let mut places: Vec<Option<&mut Vec<u8>>> = came.iter_mut().map(Some).collect();
    // Everybody begins with another partner.
    for step in 0..size {
        let from = (rank + size - step) % size;
        let Some(place) = places.get_mut(from).and_then(Option::take) else { continue };
        if step == 0 {
            place.copy_from_slice(data.get(rank).copied().unwrap_or_default());
            continue;
        }
        for piece in place.chunks_mut(limit) {
            requests.receive(piece, from, ALL_TO_ALL)?;
        }
    }
    for step in 1..size {
        let to = (rank + step) % size;
        for piece in data.get(to).copied().unwrap_or_default().chunks(limit) {
            requests.send(piece, to, ALL_TO_ALL)?;
        }
    }
    requests.wait()
}

/// The bytes of all ranks at the root, or everywhere, from their lengths.
pub(super) fn gather(
    comm: RawComm,
    rank: usize,
    mine: &[u8],
    lengths: &[usize],
    root: Option<usize>,
    limit: usize,
) -> Result<Option<Vec<Vec<u8>>>> {
    let total: usize = lengths.iter().sum();
    let here = root.is_none_or(|root| root == rank);
    if total <= limit {
        let counts = lengths.iter().map(|length| count(*length)).collect::<Result<Vec<_>>>()?;
        let starts: Vec<c_int> = counts
            .iter()
            .scan(0, |next, length| {
                let start = *next;
                *next += length;
                Some(start)
            })
            .collect();
        let mut all = vec![0; if here { total } else { 0 }];
        match root {
            None => comm.all_gather_bytes(mine, &counts, &starts, &mut all)?,
            Some(root) => comm.gather_bytes(mine, &counts, &starts, &mut all, root)?,
        }
        if !here {
            return Ok(None);
        }
        let mut rest = all.as_slice();
        let part = |length: &usize| {
            let (part, after) = rest.split_at_checked(*length)?;
            rest = after;
            Some(part.to_vec())
        };
        let parts: Option<Vec<_>> = lengths.iter().map(part).collect();
        return Ok(Some(parts.ok_or_else(|| error!(Collective, "less was gathered than the ranks sent"))?));
    }
    let mut all: Vec<Vec<u8>> = lengths.iter().map(|length| vec![0; if here { *length } else { 0 }]).collect();
    if let Some(place) = all.get_mut(rank).filter(|_| here) {
        place.copy_from_slice(mine);
    }
    match root {
        None => all.iter_mut().enumerate().try_for_each(|(root, part)| broadcast(comm, part, root, limit))?,
        Some(root) if root == rank => {
            for (from, part) in all.iter_mut().enumerate().filter(|(from, _)| *from != rank) {
                let mut requests = Requests::new(comm);
                for piece in part.chunks_mut(limit) {
                    requests.receive(piece, from, GATHER)?;
                }
                requests.wait()?;
            }
        }
        Some(root) => {
            let mut requests = Requests::new(comm);
            for piece in mine.chunks(limit) {
                requests.send(piece, root, GATHER)?;
            }
            requests.wait()?;
        }
    }
    Ok(here.then_some(all))
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn the_last_piece_is_shorter() {
        assert_eq!(pieces(0, 4).collect::<Vec<_>>(), vec![0..0; 1]);
        assert_eq!(pieces(3, 4).collect::<Vec<_>>(), vec![0..3; 1]);
        assert_eq!(pieces(4, 4).collect::<Vec<_>>(), [0..4, 4..4]);
        assert_eq!(pieces(9, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..9]);
    }
}
