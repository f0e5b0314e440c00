//! Reductions: by MPI's own where any order gives the same bits, else in the order of the ranks.

use super::raw::RawComm;
use crate::distributed::communicator::{Communicator, Number, ReduceOp};
use crate::distributed::partition::Partition;
use crate::distributed::reduce::{begin, combine_all};
use crate::error::{Result, error};
use mpi::ffi::{self, MPI_Datatype, MPI_Op};
use std::ops::Range;

/// How MPI reduces integers.
pub(super) struct Native {
    kind: MPI_Datatype,
    op: MPI_Op,
    /// The numbers are unsigned, and handed to MPI as signed ones in the same order.
    shifted: bool,
}

/// The type and the operation of MPI for integers; `None` for numbers whose sums depend on the order, or whose NaN does.
///
/// Integers wrap: the bits of sums and products are those of unsigned numbers, which C lets wrap. What is compared is signed: MPICH 4.0 compares
/// `MPI_UINT64_T` as if it were signed.
pub(super) fn native(number: Number, op: ReduceOp) -> Option<Native> {
    let is_unsigned = match number {
        Number::I8 | Number::I16 | Number::I32 | Number::I64 => false,
        Number::U8 | Number::U16 | Number::U32 | Number::U64 => true,
        _ => return None,
    };
    // SAFETY: constants of the library.
    unsafe {
        let (unsigned, signed) = match number.size() {
            1 => (ffi::RSMPI_UINT8_T, ffi::RSMPI_INT8_T),
            2 => (ffi::RSMPI_UINT16_T, ffi::RSMPI_INT16_T),
            4 => (ffi::RSMPI_UINT32_T, ffi::RSMPI_INT32_T),
            _ => (ffi::RSMPI_UINT64_T, ffi::RSMPI_INT64_T),
        };
        Some(match op {
            ReduceOp::Sum => Native { kind: unsigned, op: ffi::RSMPI_SUM, shifted: false },
            ReduceOp::Product => Native { kind: unsigned, op: ffi::RSMPI_PROD, shifted: false },
            ReduceOp::Min => Native { kind: signed, op: ffi::RSMPI_MIN, shifted: is_unsigned },
            ReduceOp::Max => Native { kind: signed, op: ffi::RSMPI_MAX, shifted: is_unsigned },
            // Of numbers that are 0 or 1.
            ReduceOp::All => Native { kind: signed, op: ffi::RSMPI_MIN, shifted: false },
            ReduceOp::Any => Native { kind: signed, op: ffi::RSMPI_MAX, shifted: false },
        })
    }
}

/// Makes signed numbers of unsigned ones, with the same order, and the other way round.
fn shift(data: &mut [u8], size: usize) {
    for number in data.chunks_exact_mut(size) {
        let top = if cfg!(target_endian = "little") { number.last_mut() } else { number.first_mut() };
        if let Some(top) = top {
            *top ^= 0x80;
        }
    }
}

/// The smallest of each word over the ranks.
pub(super) fn smallest_words<const N: usize>(comm: RawComm, mine: [u64; N]) -> Result<[u64; N]> {
    let mut mine: Vec<u8> = mine.iter().flat_map(|one| one.to_ne_bytes()).collect();
    shift(&mut mine, 8);
    let mut total = vec![0; mine.len()];
    // SAFETY: constants of the library.
    let (word, min) = unsafe { (ffi::RSMPI_INT64_T, ffi::RSMPI_MIN) };
    comm.reduce(&mine, &mut total, (word, 8), min, None)?;
    shift(&mut total, 8);
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(total.chunks_exact(8)) {
        *word = bytes.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
    }
    Ok(words)
}

/// Reduces by MPI, piece by piece.
#[allow(clippy::too_many_arguments)]
pub(super) fn by_mpi(
    comm: RawComm,
    rank: usize,
    data: &mut [u8],
    number: Number,
    op: ReduceOp,
    native: Native,
    root: Option<usize>,
    limit: usize,
) -> Result<()> {
    let size = number.size();
    let piece = (limit.min(PIECE) / size).max(1) * size;
    for data in data.chunks_mut(piece) {
        // Of our own, aligned as MPI's operations may want.
        let mut mine = data.to_vec();
        begin(&mut mine, number, op);
        if native.shifted {
            shift(&mut mine, size);
        }
        let mut total = vec![0; mine.len()];
        comm.reduce(&mine, &mut total, (native.kind, size), native.op, root)?;
        if native.shifted {
            shift(&mut total, size);
        }
        if root.is_none_or(|root| root == rank) {
            data.copy_from_slice(&total);
        }
    }
    Ok(())
}

/// How many bytes are reduced at a time.
const PIECE: usize = 1 << 24;

/// Below this many bytes on each rank, all ranks get everything and fold it themselves: one exchange instead of two.
const SMALL: usize = 4096;

/// Reduces by exchanges of bytes, for communicators that have no better way: each rank folds one part of the numbers, at most `piece` bytes of
/// them at a time. Gives the result to all ranks, or to the root alone.
pub(super) fn by_exchange(
    comm: &dyn Communicator,
    data: &mut [u8],
    number: Number,
    op: ReduceOp,
    root: Option<usize>,
    piece: usize,
) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    if data.len() <= SMALL {
        let parts = match root {
            None => Some(comm.all_gather(data)?),
            Some(root) => comm.gather(data, root)?,
        };
        if let Some(parts) = parts {
            data.copy_from_slice(&combine_all(parts.iter().map(Vec::as_slice), number, op)?);
        }
        return Ok(());
    }
    let piece = (piece.min(PIECE) / number.size()).max(1) * number.size();
    for data in data.chunks_mut(piece) {
        let shares = Partition::new(data.len() / number.size(), size);
        let share = |rank: usize| -> Range<usize> {
            let range = shares.range(rank);
            range.start * number.size()..range.end * number.size()
        };
        let sent: Vec<&[u8]> = (0..size).map(|to| data.get(share(to)).unwrap_or_default()).collect();
        let parts = comm.all_to_all(&sent)?;
        let total = combine_all(parts.iter().map(Vec::as_slice), number, op)?;
        let totals = match root {
            None => Some(comm.all_gather(&total)?),
            Some(root) => comm.gather(&total, root)?,
        };
        for (from, total) in totals.into_iter().flatten().enumerate() {
            if let Some(place) = data.get_mut(share(from)).filter(|place| place.len() == total.len()) {
                place.copy_from_slice(&total);
            } else {
                return Err(error!(Collective, "rank {from} sent another part of the reduction than was asked of it").on_rank(rank));
            }
        }
    }
    Ok(())
}
