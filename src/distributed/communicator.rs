//! The waist between distributed code and what carries its messages.

use super::stream::{self, Incoming, Offered, Outgoing};
use crate::dtype::DType;
use crate::error::{Error, Result, bail, error};
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A communicator of any kind. A handle: cheap to clone.
pub type CommRef = Arc<dyn Communicator>;

/// A group of ranks that exchange bytes. All lengths are `usize`: no message is too long.
///
/// Every method but [`rank`](Self::rank), [`size`](Self::size), [`id`](Self::id), [`poison`](Self::poison), [`poisoned`](Self::poisoned),
/// [`poison_spreads`](Self::poison_spreads), [`abort`](Self::abort) and [`as_any`](Self::as_any) is collective: all ranks of the communicator call it, in the same order. A communicator that was
/// poisoned refuses every collective call with the error that poisoned it.
pub trait Communicator: fmt::Debug + Send + Sync {
    /// Which rank this is, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are, at least 1.
    fn size(&self) -> usize;

    /// A number that handles of one communicator share in this process, and no other communicator of it has.
    fn id(&self) -> u64;

    /// Waits until all ranks are here.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// `Collective` if the communicator is poisoned or a rank is lost.
    fn barrier(&self) -> Result<()>;

    /// Gives every rank the bytes of the root; those that the others hand in are replaced, whatever their length.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// As [`barrier`](Self::barrier).
    fn broadcast(&self, data: &mut Vec<u8>, root: usize) -> Result<()>;

    /// Gives the root the bytes of all ranks, of any lengths, by rank; the others get `None`.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// As [`barrier`](Self::barrier).
    fn gather(&self, data: &[u8], root: usize) -> Result<Option<Vec<Vec<u8>>>>;

    /// Gives every rank the bytes of all ranks, of any lengths, by rank.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// As [`barrier`](Self::barrier).
    fn all_gather(&self, data: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// Sends to each rank the bytes for it, of any lengths, and returns what each rank sent here, by rank.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// `InvalidArgument` if there is not one part for each rank, and as [`barrier`](Self::barrier).
    fn all_to_all(&self, data: &[&[u8]]) -> Result<Vec<Vec<u8>>>;

    /// Sends bytes to one rank while it receives bytes from another, which may be the same one or this rank itself. The receiver knows the
    /// length. Nobody sends or receives where the rank is `None`. Only the ranks that are partners of each other need to call.
    ///
    /// # Collective
    /// The ranks that are partners of each other call it; the others need not.
    ///
    /// # Errors
    /// `Collective` if the lengths disagree, and as [`barrier`](Self::barrier).
    fn send_recv(&self, send: Option<(usize, &[u8])>, recv: Option<(usize, &mut [u8])>) -> Result<()>;

    /// Sends messages to one rank while it receives messages from another, several of them under way at a time. As [`send_recv`](Self::send_recv)
    /// of the first ones, of the second ones and so on, without waiting for each. The ranks are others than this one.
    ///
    /// # Collective
    /// As [`send_recv`](Self::send_recv).
    ///
    /// # Errors
    /// As [`send_recv`](Self::send_recv); `Io` if there is no memory for a message.
    fn stream(&self, send: Option<(usize, Outgoing<'_>)>, recv: Option<(usize, Incoming<'_>)>) -> Result<()> {
        stream::by_turns(self, send, recv)
    }

    /// Holds bytes out to the other ranks while each does its work, in which it may read theirs. False on all ranks if they cannot read each other's
    /// memory, if one of them is not willing, or if the work of one failed: then the work may be half done, and messages do the same.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// As [`barrier`](Self::barrier).
    fn offer(&self, bytes: &[u8], willing: bool, work: &mut dyn FnMut(&dyn Offered) -> Result<()>) -> Result<bool> {
        let _ = (bytes, willing, work);
        Ok(false)
    }

    /// Combines numbers element by element over the ranks, in the order of the ranks, so that every rank gets the very same result.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// `InvalidArgument` if the bytes are no whole number of elements or the lengths differ, `Unsupported` if the operation has no meaning for
    /// the numbers, and as [`barrier`](Self::barrier).
    fn all_reduce(&self, data: &mut [u8], number: Number, op: ReduceOp) -> Result<()>;

    /// Combines numbers as [`all_reduce`](Self::all_reduce), for the root only: what the others hold stays as it is.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// As [`all_reduce`](Self::all_reduce).
    fn reduce(&self, data: &mut [u8], number: Number, op: ReduceOp, root: usize) -> Result<()>;

    /// Makes new communicators: the ranks that give one color come together, ordered by key, then by rank. `None` for a rank without color.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// As [`barrier`](Self::barrier).
    fn split(&self, color: Option<u32>, key: usize) -> Result<Option<CommRef>>;

    /// Waits until all ranks are here, at most so long. Late ranks poison the communicator. Without a limit it is a barrier.
    ///
    /// # Collective
    /// All ranks of the communicator call it, in the same order.
    ///
    /// # Errors
    /// `Collective`, with the ranks that did not come, on each rank that is here.
    fn rendezvous(&self, within: Option<Duration>) -> Result<()>;

    /// Makes every later collective call on this communicator fail with this error, on this rank.
    fn poison(&self, error: Error);

    /// The error with which the communicator was poisoned.
    fn poisoned(&self) -> Option<Error>;

    /// True if ranks that wait for a poisoned rank get its error, as threads do. MPI cannot tell them.
    fn poison_spreads(&self) -> bool;

    /// Ends the work of all ranks: under MPI the job, processes and all; among threads every call that waits and every later one fails with this
    /// error. The last resort of a rank that cannot reach the others.
    fn abort(&self, error: Error);

    /// This, for a downcast to the concrete type.
    fn as_any(&self) -> &dyn Any;
}

/// Checks the partners of a [`Communicator::send_recv`]. A message of a rank to itself is sent and received in one call, since no other can come.
pub(super) fn check_partners(rank: usize, size: usize, to: Option<usize>, from: Option<usize>) -> Result<()> {
    if let Some(partner) = to.into_iter().chain(from).find(|partner| *partner >= size) {
        bail!(InvalidArgument, "there is no rank {partner}: the communicator has {size}");
    }
    if (to == Some(rank)) != (from == Some(rank)) {
        bail!(Collective, "a message of rank {rank} to itself is sent and received in one call");
    }
    Ok(())
}

/// The error of a rank that waited long enough for others.
pub(super) fn late(missing: &[usize]) -> Error {
    let names = missing.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let error = match missing {
        [_] => error!(Collective, "rank {names} did not come within the deadline"),
        _ => error!(Collective, "ranks {names} did not come within the deadline"),
    };
    error.on_rank(missing.first().copied().unwrap_or_default())
}

/// What [`Communicator::all_reduce`] does to the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReduceOp {
    /// The sum; integers wrap.
    Sum,
    /// The product; integers wrap.
    Product,
    /// The smallest; NaN wins, as in numpy. Not for complex numbers.
    Min,
    /// The largest; NaN wins, as in numpy. Not for complex numbers.
    Max,
    /// 1 if all are other than 0, else 0. NaN is other than 0.
    All,
    /// 1 if any is other than 0, else 0.
    Any,
}

/// The numbers that can be reduced, in native byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Number {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
    /// Complex of two `f32`.
    C64,
    /// Complex of two `f64`.
    C128,
}

impl ReduceOp {
    /// Checks that the bytes are whole numbers, and that the operation has a meaning for them.
    ///
    /// # Errors
    /// `InvalidArgument`, `Unsupported`.
    pub fn check(self, bytes: usize, number: Number) -> Result<()> {
        if !bytes.is_multiple_of(number.size()) {
            bail!(InvalidArgument, "{bytes} bytes are no whole number of {number:?}");
        }
        if matches!(self, Self::Min | Self::Max) && matches!(number, Number::C64 | Number::C128) {
            bail!(Unsupported, "complex numbers have no order: {self:?} has no meaning for them");
        }
        Ok(())
    }
}

impl Number {
    /// The number that the elements of this type are; bool is `U8`. `None` for what is no number.
    pub fn of(dtype: &DType) -> Option<Self> {
        use crate::dtype::{FloatWidth, IntType};
        let integer = |i: &IntType| match (i.size, i.signed) {
            (1, true) => Some(Self::I8),
            (2, true) => Some(Self::I16),
            (4, true) => Some(Self::I32),
            (8, true) => Some(Self::I64),
            (1, false) => Some(Self::U8),
            (2, false) => Some(Self::U16),
            (4, false) => Some(Self::U32),
            (8, false) => Some(Self::U64),
            _ => None,
        };
        match dtype {
            DType::Bool => Some(Self::U8),
            DType::Int(i) => integer(i),
            DType::Float(f) => match f.width {
                FloatWidth::F16 => Some(Self::F16),
                FloatWidth::F32 => Some(Self::F32),
                FloatWidth::F64 => Some(Self::F64),
                FloatWidth::LongDouble => None,
            },
            DType::Complex(f) => match f.width {
                FloatWidth::F32 => Some(Self::C64),
                FloatWidth::F64 => Some(Self::C128),
                _ => None,
            },
            _ => None,
        }
    }

    /// The bytes of one.
    pub fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }
}
