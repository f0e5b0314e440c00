//! Files that all ranks of an MPI communicator have open at once, through the library's MPI-IO driver.
//!
//! Everything here is collective: all ranks make the same calls in the same order, also those that have nothing to transfer; they take part
//! with an empty selection. What can fail on one rank alone (memory, types) is done before a call that the others wait in.
//!
//! Only elements are moved this way. Objects are made before, by one rank, through the ordinary driver: it is faster, and every kind of object works.
//! Chunks are never written directly here: a file that is open through MPI-IO is silently harmed by it where the chunks have filters.

use super::elements::Codec;
use super::ffi::{Id, c_name, h5, hid_t};
use super::file::OpenFile;
use super::refs::References;
use super::{filter, open, props, space, types};
use crate::distributed::mpi::exclusive;
use crate::dtype::DType;
use crate::error::{Result, bail};
use hdf5_sys::h5::H5open;
use hdf5_sys::h5d::{H5Dget_space, H5Dget_type, H5Dopen2, H5Dread, H5Dwrite};
use hdf5_sys::h5f::{H5F_ACC_RDONLY, H5F_ACC_RDWR, H5F_CLOSE_STRONG, H5F_LIBVER_V18, H5F_LIBVER_V110, H5Fopen};
use hdf5_sys::h5p::*;
use hdf5_sys::h5s::{H5S_SELECT_SET, H5Sselect_hyperslab, H5Sselect_none};
use mpi::ffi::{MPI_Comm, RSMPI_INFO_NULL};
use std::path::Path;
use std::sync::Arc;

/// Starts the library, before MPI is started. Else the library ends with MPI, and crashes on a file whose closing has failed (on a full disk, seen with
/// 1.10.8): it holds on to what it has given up.
pub(crate) fn start_before_mpi() {
    // Whoever uses the library first meets why it cannot be started.
    let _ = h5!(H5open());
}

/// A file that all ranks have open.
#[derive(Debug)]
pub(crate) struct ParallelFile {
    file: Arc<OpenFile>,
    /// The list that makes a transfer collective.
    transfer: Id,
    /// The same, where each rank moves its own bytes by itself.
    alone: Id,
}

/// A dataset that all ranks have open. Its elements are of a plain type.
#[derive(Debug)]
pub(crate) struct ParallelDataset<'f> {
    file: &'f ParallelFile,
    id: Id,
    type_id: Id,
    codec: Codec,
    shape: Vec<usize>,
    /// The list of its transfers.
    list: hid_t,
}

/// Evenly spaced indices of each axis: where they begin, how far they are apart, how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slab {
    pub start: Vec<usize>,
    pub step: Vec<usize>,
    pub count: Vec<usize>,
}

impl ParallelFile {
    /// Opens a file that is there, on all ranks of the communicator.
    pub(crate) fn open(path: &Path, comm: MPI_Comm, write: bool) -> Result<Self> {
        let _turn = exclusive()?;
        filter::register_all();
        let access = props::new(|| *H5P_CLS_FILE_ACCESS)?;
        let transfer = props::new(|| *H5P_CLS_DATASET_XFER)?;
        h5!(H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG))?;
        h5!(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V110))?;
        h5!(H5Pset_fapl_mpio(access.get(), comm, RSMPI_INFO_NULL))?;
        // One rank reads what all want to know, and all write the changes of all together.
        h5!(H5Pset_all_coll_metadata_ops(access.get(), 1))?;
        h5!(H5Pset_coll_metadata_write(access.get(), 1))?;
        h5!(H5Pset_dxpl_mpio(transfer.get(), H5FD_mpio_xfer_t::H5FD_MPIO_COLLECTIVE))?;
        let alone = props::new(|| *H5P_CLS_DATASET_XFER)?;
        h5!(H5Pset_dxpl_mpio(alone.get(), H5FD_mpio_xfer_t::H5FD_MPIO_COLLECTIVE))?;
        h5!(H5Pset_dxpl_mpio_collective_opt(alone.get(), H5FD_mpio_collective_opt_t::H5FD_MPIO_INDIVIDUAL_IO))?;
        let (name, flags) = (open::c_path(path)?, if write { H5F_ACC_RDWR } else { H5F_ACC_RDONLY });
        let id = h5!(H5Fopen(name.as_ptr(), flags, access.get())).map_err(|e| open::explain(e, path))?;
        // Without a path: the file below belongs to MPI, and has no descriptor of its own.
        Ok(Self { file: Arc::new(OpenFile::new(id, None, write)), transfer, alone })
    }

    /// Opens a dataset by its path. What its ranks move is mingled by MPI-IO into few large accesses, unless each rank accesses the file `alone`, as
    /// it should where its bytes lie in long runs.
    pub(crate) fn dataset(&self, path: &str, alone: bool) -> Result<ParallelDataset<'_>> {
        let _turn = exclusive()?;
        let name = c_name(path)?;
        self.file.reading(|| {
            let list = if alone { self.alone.get() } else { self.transfer.get() };
            let id = Id::own(h5!(H5Dopen2(self.file.id(), name.as_ptr(), H5P_DEFAULT))?);
            let type_id = Id::own(h5!(H5Dget_type(id.get()))?);
            let dtype = types::dtype_of(type_id.get())?;
            let space = Id::own(h5!(H5Dget_space(id.get()))?);
            let Some((shape, _)) = space::extent(space.get())? else { bail!(Shape, "the dataset has no elements") };
            Ok(ParallelDataset { file: self, id, type_id, codec: Codec::new(&dtype), shape, list })
        })
    }

    /// Closes the file on all ranks.
    pub(crate) fn close(self) -> Result<()> {
        let _turn = exclusive()?;
        self.file.close()
    }
}

impl ParallelDataset<'_> {
    /// The type of the elements.
    pub(crate) fn dtype(&self) -> &DType {
        self.codec.dtype()
    }

    /// The shape.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The selected part of the file and the memory that it goes to or comes from, one after another; without a slab nothing at all.
    fn spaces(&self, slab: Option<&Slab>) -> Result<(Id, Id)> {
        let file = Id::own(h5!(H5Dget_space(self.id.get()))?);
        match slab {
            Some(slab) => {
                let [start, step, count] = [&slab.start, &slab.step, &slab.count].map(|v| space::dims(v));
                h5!(H5Sselect_hyperslab(file.get(), H5S_SELECT_SET, start.as_ptr(), step.as_ptr(), count.as_ptr(), std::ptr::null()))?;
                let memory = space::create(Some(&slab.count), None)?;
                Ok((memory, file))
            }
            None => {
                h5!(H5Sselect_none(file.get()))?;
                let memory = space::create(Some(&[1]), None)?;
                h5!(H5Sselect_none(memory.get()))?;
                Ok((memory, file))
            }
        }
    }

    /// Writes elements, as an array in C order holds them, or nothing.
    pub(crate) fn write(&self, slab: Option<&Slab>, bytes: &[u8]) -> Result<()> {
        let _turn = exclusive()?;
        let file = &self.file.file;
        let (memory, selected) = self.spaces(slab)?;
        let refs = References::new(file);
        let out = self.codec.outgoing(bytes, None, &refs)?;
        file.writing(|| h5!(H5Dwrite(self.id.get(), self.type_id.get(), memory.get(), selected.get(), self.list, out.as_ptr())).map(drop))
    }

    /// Reads elements into the bytes of an array in C order, or nothing.
    pub(crate) fn read(&self, slab: Option<&Slab>, bytes: &mut [u8]) -> Result<()> {
        let _turn = exclusive()?;
        let file = &self.file.file;
        let (memory, selected) = self.spaces(slab)?;
        let refs = References::new(file);
        let (dataset, type_id, list): (hid_t, hid_t, hid_t) = (self.id.get(), self.type_id.get(), self.list);
        file.reading(|| {
            if bytes.is_empty() {
                let mut nothing = [0u8; 16];
                return h5!(H5Dread(dataset, type_id, memory.get(), selected.get(), list, nothing.as_mut_ptr().cast())).map(drop);
            }
            self.codec
                .read(type_id, bytes, None, &refs, |to| h5!(H5Dread(dataset, type_id, memory.get(), selected.get(), list, to)).map(drop))
        })
    }
}
