//! Chunks and ranks: a chunk that has filters is compressed and decompressed as a whole, so it should be the business of one rank.

use super::cut::Cut;
#[cfg(feature = "hdf5")]
use crate::array::AnyArray;
#[cfg(feature = "hdf5")]
use crate::dtype::DType;
#[cfg(feature = "hdf5")]
use crate::error::Result;
use crate::tree::{DatasetSpec, Fill, Filter, Layout};
use serde::{Deserialize, Serialize};

/// About the bytes of a chunk that is chosen here.
const CHUNK: usize = 1 << 20;
/// About the bytes of a file of a dataset that has no chunks.
#[cfg(feature = "zarr")]
const FILE: usize = 8 << 20;

/// How a dataset lies in its file, as far as it matters for moving its elements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Storage {
    pub chunks: Option<Vec<usize>>,
    pub filters: Vec<Filter>,
    /// The bytes of the fill value, if one was chosen.
    fill: Option<Vec<u8>>,
    /// True if each chunk is a file of its own, which two ranks must not write.
    pub files: bool,
}

impl Storage {
    pub fn of(spec: &DatasetSpec) -> Self {
        let fill = match &spec.fill {
            Fill::Value(value) => value.as_bytes().map(<[u8]>::to_vec),
            _ => None,
        };
        Self { chunks: spec.chunks().map(<[usize]>::to_vec), filters: spec.filters.clone(), fill, files: false }
    }

    /// The fill value, if one was chosen.
    #[cfg(feature = "hdf5")]
    pub fn fill(&self, dtype: &DType) -> Result<Option<AnyArray>> {
        self.fill.as_ref().map(|bytes| AnyArray::from_bytes(dtype.clone(), [0usize; 0], bytes)).transpose()
    }

    /// How many elements the file has room for, whole chunks at the edges included. With filters it is not known.
    pub fn stored(&self, shape: &[usize]) -> u64 {
        let whole = |(n, chunk): (&usize, usize)| n.div_ceil(chunk.max(1)) as u64 * chunk.max(1) as u64;
        match &self.chunks {
            _ if !self.filters.is_empty() => 0,
            Some(chunks) if chunks.len() == shape.len() => shape.iter().zip(chunks.iter().copied()).map(whole).product(),
            _ => shape.iter().map(|n| *n as u64).product(),
        }
    }

    /// The chunks, if they have filters or are files: then a chunk is moved as a whole.
    pub fn whole_chunks(&self) -> Option<&[usize]> {
        self.chunks.as_deref().filter(|_| self.files || !self.filters.is_empty())
    }
}

/// The cut by which ranks should move a dataset: the one that they have, unless its chunks have filters and lie across ranks. Then each
/// chunk goes to one rank, along the axis on which the ranks share the work best.
pub(super) fn cut_for(have: &Cut, storage: &Storage) -> Cut {
    let (Some(chunks), ranks) = (storage.whole_chunks(), have.ranks()) else { return have.clone() };
    if ranks == 1 || have.shape.contains(&0) || chunks.len() != have.shape.len() {
        return have.clone();
    }
    if have.respects(chunks[have.axis]) {
        return have.clone();
    }
    // The share of the ranks that has work, when all have as much as the busiest.
    let balance = |axis: usize| {
        let rows = have.shape[axis].div_ceil(chunks[axis].max(1));
        rows as f64 / (rows.div_ceil(ranks) * ranks) as f64
    };
    // A shift along the same axis moves little; another axis has to be worth it.
    let best = (0..have.shape.len()).fold(have.axis, |best, axis| if balance(axis) > balance(best) + 0.05 { axis } else { best });
    Cut::along_chunks(&have.shape, best, ranks, chunks[best])
}

/// Chooses chunks where the format would: of about 1 MiB, as few axes cut as possible, and none across ranks if the axis divides.
pub(super) fn choose_chunks(spec: &mut DatasetSpec, axis: usize, ranks: usize) {
    let chosen = matches!(spec.layout, Layout::AutoChunked) || (spec.layout == Layout::Auto && spec.needs_chunks());
    if chosen && let Some(chunk) = chunk_of(spec, axis, ranks, CHUNK) {
        spec.layout = Layout::Chunked(chunk);
    }
}

/// The parts of about 8 MiB that are files of a dataset that is not chunked.
#[cfg(feature = "zarr")]
pub(super) fn files_for(spec: &DatasetSpec, axis: usize, ranks: usize) -> Option<Vec<usize>> {
    chunk_of(spec, axis, ranks, FILE)
}

fn chunk_of(spec: &DatasetSpec, axis: usize, ranks: usize, target: usize) -> Option<Vec<usize>> {
    let shape = spec.shape.clone().filter(|shape| !shape.contains(&0) && !shape.is_empty())?;
    let mut chunk = shape.clone();
    // Rows of the distributed axis first: one rank's, or an equal part of them.
    let most = shape[axis].div_ceil(ranks.max(1));
    chunk[axis] = most;
    let item = spec.dtype.disk_size().max(1);
    let bytes = |chunk: &[usize]| chunk.iter().fold(item, |n, d| n.saturating_mul(*d));
    for k in std::iter::once(axis).chain((0..shape.len()).filter(|k| *k != axis)) {
        let now = bytes(&chunk);
        if now <= target + target / 2 {
            break;
        }
        let parts = now.div_ceil(target).min(chunk[k]);
        // An equal division, if there is one near.
        let near = (parts..=(parts * 2).min(chunk[k])).find(|p| chunk[k].is_multiple_of(*p)).unwrap_or(parts);
        chunk[k] = chunk[k].div_ceil(near);
    }
    Some(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[allow(unused_imports)]
    use crate::dtype::DType;

    fn spec(shape: &[usize], chunks: &[usize]) -> DatasetSpec {
        let mut spec = DatasetSpec::new(DType::F64, shape);
        spec.filters = vec![Filter::Gzip(1)];
        if !chunks.is_empty() {
            spec.layout = Layout::Chunked(chunks.to_vec());
        }
        spec
    }

    #[test]
    fn chunks_go_to_one_rank_each() {
        let have = Cut::even(&[100, 64], 0, 4);
        assert_eq!(cut_for(&have, &Storage::of(&spec(&[100, 64], &[25, 8]))), have);
        let shifted = cut_for(&have, &Storage::of(&spec(&[100, 64], &[10, 64])));
        assert_eq!((shifted.axis, shifted.range(0), shifted.range(3)), (0, 0..30, 80..100));
        let other = cut_for(&Cut::even(&[100, 64], 1, 4), &Storage::of(&spec(&[100, 64], &[10, 64])));
        assert_eq!((other.axis, other.respects(10)), (0, true));
        let mut plain = spec(&[100, 64], &[10, 64]);
        plain.filters.clear();
        assert_eq!(cut_for(&have, &Storage::of(&plain)), have);
    }

    #[test]
    fn chosen_chunks_fit_the_ranks() {
        for (shape, axis, ranks) in
            [(vec![4096, 4096], 0, 4), (vec![4096, 4096], 1, 4), (vec![7, 1 << 20], 0, 3), (vec![3, 5, 7], 2, 4), (vec![1 << 24], 0, 2)]
        {
            let mut s = spec(&shape, &[]);
            choose_chunks(&mut s, axis, ranks);
            s.validate().unwrap();
            let chunks = s.chunks().unwrap();
            assert!(chunks.iter().product::<usize>() * 8 <= 2 << 20, "{shape:?} {chunks:?}");
            if shape[axis] % ranks == 0 {
                assert!(Cut::even(&shape, axis, ranks).respects(chunks[axis]), "{shape:?} {chunks:?}");
            }
        }
    }
}
