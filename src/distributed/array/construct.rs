//! How distributed arrays are made.

use super::{Axis, DistributedArray, block_shape, check_dtype};
use crate::array::{AnyArray, IntoArray, byte_len};
use crate::distributed::agree::{Agreement, Call};
use crate::distributed::communicator::CommRef;
use crate::distributed::partition::Partition;
use crate::dtype::{Cast, DType};
use crate::error::{Error, ErrorKind, Result, bail, error};
use crate::selection::{Item, Selection};

impl DistributedArray {
    /// An array of zeros. Local: every rank makes its own block.
    ///
    /// ```
    /// use memh5::DType;
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let bounds = ThreadComm::run(4, |comm| {
    ///     Ok(DistributedArray::zeros(DType::F32, [3, 10], -1, comm)?.local_bounds())
    /// })?;
    /// assert_eq!(bounds, [0..3, 3..6, 6..8, 8..10]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such axis, `Unsupported` if the elements cannot be distributed, `Shape` if the array is larger than the
    /// address space, `Io` if there is no memory.
    pub fn zeros(dtype: DType, global_shape: impl Into<Vec<usize>>, axis: impl Into<Axis>, comm: CommRef) -> Result<Self> {
        let global_shape = global_shape.into();
        let axis = check(&dtype, &global_shape, axis.into())?;
        let local = AnyArray::zeros(dtype, block_shape(&global_shape, axis, &comm))?;
        Ok(Self { comm, axis, global_shape, local })
    }

    /// As [`zeros`](Self::zeros), with elements all of which the caller writes before one is read. Local.
    pub(crate) fn to_overwrite(dtype: DType, global_shape: impl Into<Vec<usize>>, axis: impl Into<Axis>, comm: CommRef) -> Result<Self> {
        let global_shape = global_shape.into();
        let axis = check(&dtype, &global_shape, axis.into())?;
        let local = AnyArray::to_overwrite(dtype, block_shape(&global_shape, axis, &comm))?;
        Ok(Self { comm, axis, global_shape, local })
    }

    /// An array of ones. Local.
    ///
    /// # Errors
    /// As [`zeros`](Self::zeros), and `Dtype` if the elements are no numbers.
    pub fn ones(dtype: DType, global_shape: impl Into<Vec<usize>>, axis: impl Into<Axis>, comm: CommRef) -> Result<Self> {
        let one = AnyArray::from(1u8).astype(&dtype, Cast::Exact);
        let one = one.map_err(|e| error!(Dtype, "elements of type {dtype} have no one").because(e))?;
        Self::full(dtype, global_shape, axis, &one, comm)
    }

    /// An array that holds one element everywhere. Local.
    ///
    /// # Errors
    /// As [`zeros`](Self::zeros), and `Dtype` if it is not one element that the type holds exactly.
    pub fn full(
        dtype: DType,
        global_shape: impl Into<Vec<usize>>,
        axis: impl Into<Axis>,
        element: &AnyArray,
        comm: CommRef,
    ) -> Result<Self> {
        let global_shape = global_shape.into();
        let axis = check(&dtype, &global_shape, axis.into())?;
        let element = element.astype(&dtype, Cast::Exact)?;
        let local = AnyArray::full(dtype, block_shape(&global_shape, axis, &comm), &element)?;
        Ok(Self { comm, axis, global_shape, local })
    }

    /// Cuts this rank's block out of an array that all ranks have. Local.
    ///
    /// The ranks have to hold the same array; that is not checked. On one rank nothing is copied.
    ///
    /// # Errors
    /// As [`zeros`](Self::zeros).
    pub fn from_global(array: impl IntoArray, axis: impl Into<Axis>, comm: CommRef) -> Result<Self> {
        let array = array.into_array()?;
        let Some(global_shape) = array.extent() else { bail!(Shape, "a null dataspace cannot be distributed") };
        let axis = check(array.dtype(), global_shape, axis.into())?;
        let block = Partition::new(global_shape[axis], comm.size()).range(comm.rank());
        let mut items = vec![Item::FULL; global_shape.len()];
        items[axis] = block.into();
        Ok(Self { comm, axis, global_shape: global_shape.to_vec(), local: array.select(Selection::Axes(items))? })
    }

    /// The array of which this is the block. Local, for those who know the global shape; [`wrap`](Self::wrap) finds it out.
    ///
    /// # Errors
    /// As [`zeros`](Self::zeros), and `Shape` if the block has not the shape that the [`Partition`] rule gives to this rank.
    pub fn from_parts(local: impl IntoArray, global_shape: impl Into<Vec<usize>>, axis: impl Into<Axis>, comm: CommRef) -> Result<Self> {
        let local = local.into_array()?;
        let global_shape = global_shape.into();
        let axis = check(local.dtype(), &global_shape, axis.into())?;
        let wanted = block_shape(&global_shape, axis, &comm);
        if local.extent() != Some(&wanted) {
            let (rank, size) = (comm.rank(), comm.size());
            let given = local.shape();
            bail!(Shape, "rank {rank} of {size} holds a block of shape {wanted:?} of an array of shape {global_shape:?}, not {given:?}");
        }
        Ok(Self { comm, axis, global_shape, local })
    }

    /// Makes one array of the blocks that the ranks have.
    ///
    /// ```
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let shapes = ThreadComm::run(2, |comm| {
    ///     let block = vec![1.0; if comm.rank() == 0 { 3 } else { 2 }];
    ///     Ok(DistributedArray::wrap(block, 0, comm)?.global_shape().to_vec())
    /// })?;
    /// assert_eq!(shapes, [[5], [5]]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Collective
    /// All ranks of the communicator call it, each with its block.
    ///
    /// # Errors
    /// `Collective`, the same on all ranks, if a block has not the length on the axis that the [`Partition`] rule gives to its rank, if the blocks
    /// differ in element type or in another axis, or if one cannot be distributed at all. If all ranks make the same mistake, its own error.
    pub fn wrap(local: impl IntoArray, axis: impl Into<Axis>, comm: CommRef) -> Result<Self> {
        let (local, axis) = (local.into_array(), axis.into());
        let call = Call::new("wrap the blocks of the ranks into one array").note(format_args!("axis {}", axis.0));
        let (local, global_shape) = Agreement::new(comm.clone()).collective(call, |step| {
            let local = step.agree(local.and_then(|local| check_block(&local, axis).map(|()| local)))?;
            let blocks = step.comm().all_gather(&describe(&local))?;
            Ok((local, join(&blocks, axis)?))
        })?;
        let axis = axis.resolve(global_shape.len())?;
        Ok(Self { comm, axis, global_shape, local })
    }
}

/// The axis, if such an array can be.
fn check(dtype: &DType, global_shape: &[usize], axis: Axis) -> Result<usize> {
    if global_shape.len() > 32 {
        bail!(Shape, "an array has at most 32 axes, not {}", global_shape.len());
    }
    check_dtype(dtype)?;
    dtype.validate()?;
    byte_len(global_shape, dtype.itemsize())?;
    axis.resolve(global_shape.len())
}

fn check_block(local: &AnyArray, axis: Axis) -> Result<()> {
    match local.extent() {
        None => bail!(Shape, "a null dataspace cannot be distributed"),
        Some(shape) => check(local.dtype(), shape, axis).map(drop),
    }
}

/// Shape and element type of a block, for the others.
fn describe(local: &AnyArray) -> Vec<u8> {
    let mut out = (local.ndim() as u64).to_le_bytes().to_vec();
    out.extend(local.shape().iter().flat_map(|n| (*n as u64).to_le_bytes()));
    out.extend(local.dtype().to_string().bytes());
    out
}

fn read_description(bytes: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let (ndim, mut rest) = bytes.split_first_chunk()?;
    let mut shape = Vec::new();
    for _ in 0..u64::from_le_bytes(*ndim) {
        let (n, more) = rest.split_first_chunk()?;
        shape.push(u64::from_le_bytes(*n) as usize);
        rest = more;
    }
    Some((shape, rest))
}

/// The shape of the array of all blocks: the same answer on all ranks.
fn join(blocks: &[Vec<u8>], axis: Axis) -> Result<Vec<usize>> {
    let blocks: Option<Vec<_>> = blocks.iter().map(|b| read_description(b)).collect();
    let Some([(first, dtype), ..]) = blocks.as_deref() else { bail!(Collective, "the ranks do not describe their blocks") };
    let axis = axis.resolve(first.len())?;
    let odd = |rank: usize, message: String| Err(Error::new(ErrorKind::Collective, message).on_rank(rank));
    let mut length = 0usize;
    for (rank, (shape, other)) in blocks.iter().flatten().enumerate() {
        if other != dtype {
            let (a, b) = (String::from_utf8_lossy(other), String::from_utf8_lossy(dtype));
            return odd(rank, format!("the block of rank {rank} is of type {a}, that of rank 0 of {b}"));
        }
        let same = shape.len() == first.len() && shape.iter().zip(first).enumerate().all(|(k, (a, b))| k == axis || a == b);
        if !same {
            return odd(rank, format!("the block of rank {rank} has the shape {shape:?}, which does not fit that of rank 0, {first:?}"));
        }
        length = length.saturating_add(shape[axis]);
    }
    let partition = Partition::new(length, blocks.iter().flatten().count());
    for (rank, (shape, _)) in blocks.iter().flatten().enumerate() {
        let (has, wanted) = (shape[axis], partition.count(rank));
        if has != wanted {
            let message = format!("the block of rank {rank} has {has} of the {length} indices of axis {axis}, where {wanted} belong to it");
            return odd(rank, message);
        }
    }
    let mut shape = first.clone();
    shape[axis] = length;
    Ok(shape)
}
