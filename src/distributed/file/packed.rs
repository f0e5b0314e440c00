//! Chunks with filters: each rank packs those that are its own, rank 0 writes them as they are.
//!
//! So all ranks compress at once, and the file is written by one process through the ordinary driver. Parallel HDF5 compresses on all
//! ranks too, but 1.10 loses which filters a chunk was stored without (an incompressible chunk of LZF cannot be read again), fills every chunk
//! before it writes it, and decompresses chunks that two ranks share. And a failure of one rank's write within its collective call is no failure of
//! the others, up to 2.2: on a full disk they wait for ever, and a rank at its limit on the size of files leaves a file that is not whole and closes
//! without an error. What compressed chunks will take cannot be taken beforehand, as it is for other elements.

use super::align::Storage;
use super::cut::{Box, Cut, intersection, lengths, pieces, selection, within};
use crate::array::AnyArray;
use crate::distributed::Step;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::format::hdf5::press::{Packed, Press, packed_chunk, write_chunk};
use crate::tree::{Dataset, Fill};

/// The bytes that all ranks together pack at a time.
const ROUND: usize = 256 << 20;
/// The most bytes that a rank packs at a time.
const BATCH: usize = 16 << 20;

/// The chunks of a part that is cut between chunks.
fn chunks_of(part: &Box, chunks: &[usize]) -> Vec<Box> {
    pieces(part, 1, Some(chunks), 0)
}

fn count(part: &Box, chunks: &[usize]) -> usize {
    part.iter().zip(chunks).map(|(r, c)| r.len().div_ceil((*c).max(1))).product()
}

/// Writes a dataset whose cut keeps chunks whole; rank 0 has it open.
pub(super) fn write(step: &Step<'_>, to: Option<&dyn Dataset>, cut: &Cut, storage: &Storage, local: &AnyArray) -> Result<()> {
    let (comm, Some(chunks)) = (&**step.comm(), storage.chunks.as_deref()) else { bail!(Corrupt, "the dataset has no chunks") };
    let (rank, ranks) = (comm.rank(), comm.size());
    let bytes = chunks.iter().product::<usize>().saturating_mul(local.dtype().itemsize());
    let batch = ((ROUND / ranks).min(BATCH) / bytes.max(1)).max(1);
    let rounds = (0..ranks).map(|r| count(&cut.part(r), chunks).div_ceil(batch)).max().unwrap_or(0);
    let whole = cut.part(rank);
    let press = step.agree(storage.fill(local.dtype()).and_then(|fill| Press::new(local.dtype(), chunks, &storage.filters, fill)))?;
    let mine = chunks_of(&whole, chunks);
    let all: Vec<Vec<Box>> = if rank == 0 { (0..ranks).map(|r| chunks_of(&cut.part(r), chunks)).collect() } else { Vec::new() };
    let mut before = Ok(());
    for round in 0..rounds {
        let packed = before.and_then(|()| pack(&press, mine.chunks(batch).nth(round).unwrap_or(&[]), &whole, chunks, local));
        let packed = step.agree(packed)?;
        let gathered = comm.gather(&packed, 0)?;
        before = match (gathered, to) {
            (Some(parts), Some(to)) => parts.iter().zip(&all).try_for_each(|(bytes, boxes)| {
                let boxes = boxes.chunks(batch).nth(round).unwrap_or(&[]);
                unbundle(bytes, boxes.len())?.iter().zip(boxes).try_for_each(|(packed, place)| {
                    let offset: Vec<usize> = place.iter().map(|r| r.start).collect();
                    write_chunk(to, &offset, packed)
                })
            }),
            (Some(_), None) => Err(error!(Corrupt, "rank 0 has no file to write to")),
            (None, _) => Ok(()),
        };
    }
    step.agree(before.and(press.close()))
}

/// Packs chunks, one behind the other, each after its mask and its length.
fn pack(press: &Press, boxes: &[Box], whole: &Box, chunks: &[usize], local: &AnyArray) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for place in boxes {
        let mut chunk = local.select(selection(&within(place, whole)))?;
        if lengths(place) != chunks {
            // At the end of an axis a chunk has room to spare.
            let mut full = press.blank()?;
            let corner: Box = lengths(place).into_iter().map(|n| 0..n).collect();
            full.assign(selection(&corner), &chunk)?;
            chunk = full;
        }
        let packed = press.pack(&chunk)?;
        out.extend(packed.mask.to_le_bytes());
        out.extend((packed.bytes.len() as u64).to_le_bytes());
        out.extend(packed.bytes);
    }
    Ok(out)
}

fn unbundle(mut bytes: &[u8], count: usize) -> Result<Vec<Packed>> {
    let broken = || error!(Collective, "a rank sent something else than its chunks");
    (0..count)
        .map(|_| {
            let (mask, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken)?;
            let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(broken)?;
            let (packed, rest) = rest.split_at_checked(u64::from_le_bytes(*length) as usize).ok_or_else(broken)?;
            bytes = rest;
            Ok(Packed { mask: u32::from_le_bytes(*mask), bytes: packed.to_vec() })
        })
        .collect()
}

/// Reads a part that begins and ends between chunks; `None` if the library has to do it.
pub(super) fn read(from: &dyn Dataset, part: &Box, storage: &Storage, dtype: &DType) -> Result<Option<AnyArray>> {
    let Some(chunks) = storage.whole_chunks() else { return Ok(None) };
    if from.location().backend != "hdf5" || from.dtype()? != *dtype {
        return Ok(None);
    }
    let press = Press::new(dtype, chunks, &storage.filters, None)?;
    if !press.is_fast() {
        return Ok(None);
    }
    let fill = match from.spec()?.fill {
        Fill::Value(value) => Some(value),
        _ => None,
    };
    let mut out = AnyArray::zeros(dtype.clone(), lengths(part))?;
    let (mut scratch, shape) = (Vec::new(), from.extent()?.unwrap_or_default());
    for place in chunks_of(part, chunks) {
        let offset: Vec<usize> = place.iter().zip(chunks).map(|(r, c)| r.start / c.max(&1) * c).collect();
        let chunk: Box = offset.iter().zip(chunks).zip(&shape).map(|((at, c), n)| *at..(at + c).min(*n)).collect();
        let Some(here) = intersection(&place, &chunk) else { continue };
        let data = match packed_chunk(from, &offset)? {
            Some(packed) if packed.mask == 0 => press.unpack(&packed, &mut scratch)?.select(selection(&within(&here, &chunk)))?,
            Some(_) => from.read_selection(&selection(&here))?,
            None => match &fill {
                Some(value) => AnyArray::full(dtype.clone(), lengths(&here), value)?,
                None => continue,
            },
        };
        out.assign(selection(&within(&here, part)), &data)?;
    }
    press.close()?;
    Ok(Some(out))
}
