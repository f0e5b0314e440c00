//! What a group, a dataset or a file is to be: shape, type, layout, filters, modes.

use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How a file is opened, named as h5py names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `r`: read only; the file must exist.
    Read,
    /// `r+`: read and write; the file must exist.
    ReadWrite,
    /// `w`: a new file; one that exists is replaced.
    Truncate,
    /// `w-` or `x`: a new file; one that exists is an error.
    CreateNew,
    /// `a`: read and write; made if it does not exist.
    Append,
}

impl std::str::FromStr for Mode {
    type Err = crate::Error;

    /// Reads h5py's name of the mode.
    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "r" => Self::Read,
            "r+" => Self::ReadWrite,
            "w" => Self::Truncate,
            "w-" | "x" => Self::CreateNew,
            "a" => Self::Append,
            _ => bail!(InvalidArgument, "'{name}' is no file mode; the modes are r, r+, w, w- (or x) and a"),
        })
    }
}

/// Where an object lives, for messages and for relative external links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Location {
    /// The backend: "memory", "hdf5", "zarr".
    pub backend: &'static str,
    /// The file or directory, if there is one.
    pub file: Option<PathBuf>,
    /// False if the tree is open for reading only.
    pub writable: bool,
}

/// What a new group is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GroupSpec {
    /// Keep the order in which children and attributes are made; otherwise they are listed in the order of their names.
    pub track_order: bool,
}

impl GroupSpec {
    /// A group that lists its children and attributes in the order in which they were made.
    pub fn tracked() -> Self {
        Self { track_order: true }
    }
}

/// How the elements of a dataset lie in a file. In memory it is kept, and used when the tree is saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Layout {
    /// Contiguous, or chunks of the backend's choice if filters or `maxshape` need chunks.
    #[default]
    Auto,
    /// In one piece.
    Contiguous,
    /// Within the object's header (small datasets only).
    Compact,
    /// In chunks of that shape.
    Chunked(Vec<usize>),
    /// In chunks of the backend's choice.
    AutoChunked,
}

/// A step of the filter pipeline of chunks. The number is the one registered with the HDF Group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Filter {
    /// Deflate (1), level 0 to 9.
    Gzip(u8),
    /// Byte shuffle (2).
    Shuffle,
    /// A checksum over each chunk (3).
    Fletcher32,
    /// szip (4): the coding options mask (4 entropy coding, 32 nearest neighbour) and the pixels per block, even, at most 32.
    Szip {
        /// 4 (entropy coding) or 32 (nearest neighbour).
        options: u32,
        /// Even, at most 32.
        pixels_per_block: u32,
    },
    /// n-bit packing (5).
    Nbit,
    /// Scale-offset (6): the scale type (0, 1 float, 2 integer) and the factor.
    ScaleOffset {
        /// 0 for floats by decimal digits, 2 for integers.
        kind: u32,
        /// Decimal digits, or the number of bits (0 to find it).
        factor: i32,
    },
    /// LZF (32000).
    Lzf,
    /// Bitshuffle (32008).
    Bitshuffle {
        /// Elements per block, a multiple of 8; 0 for the filter's own choice.
        block_size: u32,
        /// What follows the shuffle.
        compressor: BitshuffleCompressor,
    },
    /// Zstandard (32015) with its level.
    Zstd(i32),
    /// Any other, by its number; carried as it is.
    Other {
        /// The registered number.
        id: u32,
        /// True if a chunk may be stored without it when it fails.
        optional: bool,
        /// Its parameters.
        values: Vec<u32>,
    },
}

/// What follows the bit shuffle of filter 32008.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BitshuffleCompressor {
    /// Nothing.
    None,
    /// LZ4 (2), as caput writes it.
    Lz4,
    /// Zstandard (3) with its level.
    Zstd(u32),
}

impl Filter {
    /// Blosc (32001) with LZ4 behind a shuffle of bytes, level 0 to 9: what h5py's users get of hdf5plugin.
    ///
    /// Other compressors of Blosc are [`Filter::Other`] with the parameters of its filter, of which the first four are found when a dataset is made:
    /// `[0, 0, 0, 0, level, shuffle, compressor]`.
    ///
    /// ```
    /// use memh5::{Filter, MemGroup, prelude::*};
    /// let tree = MemGroup::new();
    /// let rows = tree.create_dataset("rows").chunks([100]).filter(Filter::blosc_lz4(5)).write(vec![1.5; 1000])?;
    /// assert_eq!(rows.spec()?.filters[0].name(), "blosc");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    pub fn blosc_lz4(level: u8) -> Filter {
        Filter::Other { id: 32001, optional: true, values: vec![0, 0, 0, 0, level.into(), 1, 1] }
    }

    /// The number registered with the HDF Group.
    pub fn id(&self) -> u32 {
        match self {
            Self::Gzip(_) => 1,
            Self::Shuffle => 2,
            Self::Fletcher32 => 3,
            Self::Szip { .. } => 4,
            Self::Nbit => 5,
            Self::ScaleOffset { .. } => 6,
            Self::Lzf => 32000,
            Self::Bitshuffle { .. } => 32008,
            Self::Zstd(_) => 32015,
            Self::Other { id, .. } => *id,
        }
    }

    /// The parameters that a file stores for it, as far as they are known before the chunks are written.
    pub fn stored_values(&self, spec: &DatasetSpec) -> Vec<u32> {
        let itemsize = u32::try_from(spec.dtype.disk_size()).unwrap_or(u32::MAX);
        match self {
            Self::Gzip(level) => vec![u32::from(*level)],
            Self::Shuffle => vec![itemsize],
            Self::Fletcher32 | Self::Nbit => Vec::new(),
            Self::Szip { options, pixels_per_block } => vec![*options, *pixels_per_block],
            Self::ScaleOffset { kind, factor } => vec![*kind, *factor as u32],
            // h5py's filter: its revision, that of LZF, the bytes of a chunk.
            Self::Lzf => {
                let elements: usize = spec.chunks().map_or(0, |c| c.iter().product());
                vec![4, 0x105, u32::try_from(elements).unwrap_or(u32::MAX).saturating_mul(itemsize)]
            }
            // The filter's version 0.5, the element size, the block size, what follows the shuffle.
            Self::Bitshuffle { block_size, compressor } => {
                let mut values = vec![0, 5, itemsize, *block_size];
                match compressor {
                    BitshuffleCompressor::None => values.push(0),
                    BitshuffleCompressor::Lz4 => values.push(2),
                    BitshuffleCompressor::Zstd(level) => values.extend([3, *level]),
                }
                values
            }
            Self::Zstd(level) => vec![*level as u32],
            Self::Other { values, .. } => values.clone(),
        }
    }

    /// The name, as h5py and the command-line tool use it.
    pub fn name(&self) -> String {
        match self {
            Self::Gzip(_) => "gzip".into(),
            Self::Shuffle => "shuffle".into(),
            Self::Fletcher32 => "fletcher32".into(),
            Self::Szip { .. } => "szip".into(),
            Self::Nbit => "nbit".into(),
            Self::ScaleOffset { .. } => "scaleoffset".into(),
            Self::Lzf => "lzf".into(),
            Self::Bitshuffle { .. } => "bitshuffle".into(),
            Self::Zstd(_) => "zstd".into(),
            Self::Other { id: 307, .. } => "bzip2".into(),
            // (With other parameters or flags than the variant of its own stands for.)
            Self::Other { id: 32000, .. } => "lzf".into(),
            Self::Other { id: 32001, .. } => "blosc".into(),
            Self::Other { id: 32004, .. } => "lz4".into(),
            Self::Other { id, .. } => format!("filter {id}"),
        }
    }
}

/// Something that a backend may be unable to hold: see [`Group::lacks`](super::Group::lacks).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Feature<'a> {
    /// Several names of one object.
    HardLinks,
    /// Paths that are looked up at each use.
    SoftLinks,
    /// Paths in other files.
    ExternalLinks,
    /// Types with a name.
    CommittedTypes,
    /// Datasets with a type and no elements.
    NullDatasets,
    /// Elements of this type.
    Dtype(&'a DType),
    /// This filter.
    Filter(&'a Filter),
    /// An object of this name.
    Name(&'a str),
}

/// What unwritten elements are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Fill {
    /// Zero, the empty string, the null reference.
    #[default]
    Default,
    /// This element: a scalar array of the dataset's dtype.
    Value(AnyArray),
    /// Undefined in the file. (In memory it is zero: nothing is ever uninitialised.)
    Undefined,
}

/// What a new dataset is to be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DatasetSpec {
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape; empty for a scalar, `None` for a null dataspace.
    pub shape: Option<Vec<usize>>,
    /// How far each axis may grow, `None` for without limit. Absent: not at all.
    pub maxshape: Option<Vec<Option<usize>>>,
    /// How the elements lie in a file.
    pub layout: Layout,
    /// The filters of the chunks, in the order in which they are applied to data that are written.
    pub filters: Vec<Filter>,
    /// What unwritten elements are.
    pub fill: Fill,
    /// Keep the order in which attributes are made.
    pub track_order: bool,
}

impl DatasetSpec {
    /// A dataset of that type and shape, with nothing special.
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: Some(shape.into()), ..Self::null(dtype) }
    }

    /// A dataset with a null dataspace: a type, and no elements.
    pub fn null(dtype: DType) -> Self {
        Self { dtype, shape: None, maxshape: None, layout: Layout::Auto, filters: Vec::new(), fill: Fill::Default, track_order: false }
    }

    /// The chunk shape, if it is given.
    pub fn chunks(&self) -> Option<&[usize]> {
        match &self.layout {
            Layout::Chunked(chunks) => Some(chunks),
            _ => None,
        }
    }

    /// True if the dataset has to be chunked: chunks or filters asked for, or an axis that can grow.
    pub fn needs_chunks(&self) -> bool {
        let grows = match (&self.shape, &self.maxshape) {
            (Some(shape), Some(max)) => shape.iter().zip(max).any(|(n, m)| *m != Some(*n)),
            _ => false,
        };
        matches!(self.layout, Layout::Chunked(_) | Layout::AutoChunked) || !self.filters.is_empty() || grows
    }

    /// Checks what every backend must refuse, with the same error: ranks above 32, chunks that do not fit, a `maxshape` below the
    /// shape, filters on something that cannot be chunked, a fill value of another type.
    ///
    /// # Errors
    /// `Shape`, `Dtype` or `InvalidArgument`, as the case may be.
    pub fn validate(&self) -> Result<()> {
        self.dtype.validate()?;
        let chunkable = self.shape.as_ref().is_some_and(|s| !s.is_empty());
        if !chunkable && (matches!(self.layout, Layout::Chunked(_) | Layout::AutoChunked) || !self.filters.is_empty()) {
            bail!(InvalidArgument, "a scalar or null dataset has neither chunks nor filters");
        }
        let Some(shape) = &self.shape else {
            if self.maxshape.is_some() {
                bail!(Shape, "a null dataset has no maxshape");
            }
            return Ok(());
        };
        if shape.len() > 32 {
            bail!(Shape, "a dataset has at most 32 axes, not {}", shape.len());
        }
        crate::array::byte_len(shape, self.dtype.itemsize())?;
        if let Some(max) = &self.maxshape {
            if max.len() != shape.len() {
                bail!(Shape, "a maxshape of {} axes does not fit the shape {shape:?}", max.len());
            }
            if let Some(axis) = (0..shape.len()).find(|k| max[*k].is_some_and(|m| m < shape[*k])) {
                bail!(Shape, "the maxshape of axis {axis} is below its length {}", shape[axis]);
            }
        }
        match &self.layout {
            Layout::Chunked(chunks) => {
                if chunks.len() != shape.len() {
                    bail!(Shape, "chunks of {} axes do not fit the shape {shape:?}", chunks.len());
                }
                if chunks.contains(&0) {
                    bail!(InvalidArgument, "the chunk shape {chunks:?} has an axis of length 0");
                }
                let bytes = crate::array::byte_len(chunks, self.dtype.itemsize())?;
                if bytes > u32::MAX as usize {
                    bail!(InvalidArgument, "a chunk of {bytes} bytes is too large: a chunk may have at most 4 GiB - 1");
                }
                for (axis, chunk) in chunks.iter().enumerate() {
                    let limit = match &self.maxshape {
                        Some(max) => max[axis],
                        None => Some(shape[axis]),
                    };
                    // As in the HDF5 library, an axis that is empty for good may have chunks of any length.
                    if limit.is_some_and(|limit| limit > 0 && *chunk > limit) {
                        bail!(Shape, "the chunk shape {chunks:?} is larger than axis {axis} of the shape {shape:?} can be");
                    }
                }
            }
            Layout::Contiguous | Layout::Compact if self.needs_chunks() => {
                bail!(InvalidArgument, "filters and axes that can grow need chunks, not a {:?} layout", self.layout)
            }
            Layout::Compact if crate::array::byte_len(shape, self.dtype.itemsize())? > 65_000 => {
                bail!(InvalidArgument, "a compact dataset may have at most 65000 bytes")
            }
            _ => {}
        }
        for filter in &self.filters {
            match filter {
                Filter::Gzip(level) if *level > 9 => bail!(InvalidArgument, "the gzip level {level} is not between 0 and 9"),
                Filter::Szip { options, pixels_per_block }
                    if !matches!(options & 36, 4 | 32) || *pixels_per_block == 0 || *pixels_per_block > 32 || pixels_per_block % 2 == 1 =>
                {
                    bail!(InvalidArgument, "szip needs the option 4 or 32 and an even number of at most 32 pixels per block")
                }
                Filter::Bitshuffle { block_size, .. } if block_size % 8 != 0 => {
                    bail!(InvalidArgument, "the bitshuffle block size {block_size} is not a multiple of 8")
                }
                Filter::Zstd(level) if !(-7..=22).contains(level) => {
                    bail!(InvalidArgument, "the zstd level {level} is not between -7 and 22")
                }
                _ => {}
            }
        }
        if let Fill::Value(value) = &self.fill
            && (!value.is_scalar() || !value.dtype().same_values(&self.dtype))
        {
            bail!(
                Dtype,
                "the fill value has to be one element of type {}, not an array of {} of shape {:?}",
                self.dtype,
                value.dtype(),
                value.shape()
            );
        }
        if let Fill::Value(value) = &self.fill {
            value.check_storable()?;
        }
        Ok(())
    }
}
