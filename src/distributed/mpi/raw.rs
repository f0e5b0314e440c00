//! The door to the C functions of MPI: each is called here, in `requests` or in `reporting` only, and returns an error where MPI does.

use crate::error::{Result, error};
pub use mpi::ffi::MPI_Comm;
use mpi::ffi::{self, MPI_Datatype, MPI_Op, MPI_Status};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::raw::c_void;
use std::ptr;

/// A communicator of MPI: a handle, a number or a pointer that only MPI looks into.
#[derive(Clone, Copy)]
pub(super) struct RawComm(pub MPI_Comm);

// SAFETY: MPI's handles are valid in all threads of the process; which thread may call MPI is the matter of `environment`.
unsafe impl Send for RawComm {}
// SAFETY: as above.
unsafe impl Sync for RawComm {}

/// The error of a call that MPI reports as failed.
pub(super) fn check(code: c_int, what: &str) -> Result<()> {
    if code == ffi::MPI_SUCCESS as c_int {
        return Ok(());
    }
    let mut text = [0u8; ffi::MPI_MAX_ERROR_STRING as usize];
    let mut length: c_int = 0;
    // SAFETY: the buffer is as long as MPI may write.
    let told = unsafe { ffi::MPI_Error_string(code, text.as_mut_ptr().cast(), &raw mut length) };
    let text = if told == ffi::MPI_SUCCESS as c_int { text.get(..length as usize).unwrap_or_default() } else { b"unknown" };
    Err(error!(Collective, "{what} failed: {}", String::from_utf8_lossy(text)))
}

/// A length as MPI counts. Messages are cut before they come here, so that a longer one is a mistake of ours.
pub(super) fn count(length: usize) -> Result<c_int> {
    c_int::try_from(length).map_err(|_| error!(Unsupported, "a message of {length} bytes does not fit one call of MPI"))
}

/// Where the bytes are. An empty slice may lie at address 1, which is what Open MPI means by `MPI_IN_PLACE`.
pub(super) fn at(data: &[u8]) -> *const c_void {
    if data.is_empty() { ptr::dangling::<u128>().cast() } else { data.as_ptr().cast() }
}

/// As [`at`], for writing.
pub(super) fn at_mut(data: &mut [u8]) -> *mut c_void {
    if data.is_empty() { ptr::dangling_mut::<u128>().cast() } else { data.as_mut_ptr().cast() }
}

/// The type of bytes.
pub(super) fn byte() -> MPI_Datatype {
    // SAFETY: a constant of the library.
    unsafe { ffi::RSMPI_UINT8_T }
}

/// The type of `u64`.
pub(super) fn word() -> MPI_Datatype {
    // SAFETY: a constant of the library.
    unsafe { ffi::RSMPI_UINT64_T }
}

pub(super) fn world() -> RawComm {
    // SAFETY: a constant of the library.
    RawComm(unsafe { ffi::RSMPI_COMM_WORLD })
}

/// The communicator of this process by itself.
pub(super) fn alone() -> RawComm {
    // SAFETY: a constant of the library.
    RawComm(unsafe { ffi::RSMPI_COMM_SELF })
}

impl RawComm {
    pub(super) fn rank(self) -> Result<usize> {
        let mut rank: c_int = 0;
        // SAFETY: MPI writes one number.
        check(unsafe { ffi::MPI_Comm_rank(self.0, &raw mut rank) }, "MPI_Comm_rank")?;
        Ok(rank as usize)
    }

    pub(super) fn size(self) -> Result<usize> {
        let mut size: c_int = 0;
        // SAFETY: MPI writes one number.
        check(unsafe { ffi::MPI_Comm_size(self.0, &raw mut size) }, "MPI_Comm_size")?;
        Ok(size as usize)
    }

    /// Whether it connects two groups of ranks.
    pub(super) fn is_inter(self) -> Result<bool> {
        let mut flag: c_int = 0;
        // SAFETY: MPI writes one number.
        check(unsafe { ffi::MPI_Comm_test_inter(self.0, &raw mut flag) }, "MPI_Comm_test_inter")?;
        Ok(flag != 0)
    }

    /// A communicator of the same ranks whose messages are its own, and whose errors are reported.
    pub(super) fn duplicate(self) -> Result<Self> {
        let mut made = MaybeUninit::uninit();
        // SAFETY: MPI writes one handle if it succeeds, and it is read only then.
        let made = unsafe {
            check(ffi::MPI_Comm_dup(self.0, made.as_mut_ptr()), "MPI_Comm_dup")?;
            Self(made.assume_init())
        };
        made.report_errors()?;
        Ok(made)
    }

    /// The communicator of the ranks that give the same color; `None` for a rank without one.
    pub(super) fn split(self, color: Option<c_int>, key: c_int) -> Result<Option<Self>> {
        let mut made = MaybeUninit::uninit();
        // SAFETY: MPI writes one handle if it succeeds, and it is read only then.
        let made = unsafe {
            let undefined = ffi::RSMPI_UNDEFINED;
            check(ffi::MPI_Comm_split(self.0, color.unwrap_or(undefined), key, made.as_mut_ptr()), "MPI_Comm_split")?;
            Self(made.assume_init())
        };
        if color.is_none() {
            return Ok(None);
        }
        made.report_errors()?;
        Ok(Some(made))
    }

    pub(super) fn report_errors(self) -> Result<()> {
        // SAFETY: a call of MPI with handles that are valid.
        check(unsafe { ffi::MPI_Comm_set_errhandler(self.0, ffi::RSMPI_ERRORS_RETURN) }, "MPI_Comm_set_errhandler")
    }

    /// Gives the communicator back. Nobody uses it afterwards.
    pub(super) fn free(mut self) -> Result<()> {
        // SAFETY: the handle is valid and ours.
        check(unsafe { ffi::MPI_Comm_free(&raw mut self.0) }, "MPI_Comm_free")
    }

    pub(super) fn barrier(self) -> Result<()> {
        // SAFETY: a call of MPI with a handle that is valid.
        check(unsafe { ffi::MPI_Barrier(self.0) }, "MPI_Barrier")
    }

    pub(super) fn broadcast(self, data: &mut [u8], root: usize) -> Result<()> {
        // SAFETY: the buffer is as long as is said, and MPI reads or writes it only during the call.
        check(unsafe { ffi::MPI_Bcast(at_mut(data), count(data.len())?, byte(), root as c_int, self.0) }, "MPI_Bcast")
    }

    /// The number of each rank, by rank.
    pub(super) fn all_gather_words<const N: usize>(self, mine: [u64; N], size: usize) -> Result<Vec<[u64; N]>> {
        let mut all = vec![[0; N]; size];
        let n = count(N)?;
        // SAFETY: `all` has room for the numbers of all ranks; MPI reads and writes only during the call.
        let code = unsafe { ffi::MPI_Allgather(mine.as_ptr().cast(), n, word(), all.as_mut_ptr().cast(), n, word(), self.0) };
        check(code, "MPI_Allgather")?;
        Ok(all)
    }

    /// Sends one number to each rank and returns those that came, by rank.
    pub(super) fn all_to_all_words(self, mine: &[u64]) -> Result<Vec<u64>> {
        let mut all = vec![0; mine.len()];
        // SAFETY: both have one number for each rank (checked by the caller); MPI reads and writes only during the call.
        let code = unsafe { ffi::MPI_Alltoall(mine.as_ptr().cast(), 1, word(), all.as_mut_ptr().cast(), 1, word(), self.0) };
        check(code, "MPI_Alltoall")?;
        Ok(all)
    }

    /// Everybody's bytes one after the other, of the given lengths.
    pub(super) fn all_gather_bytes(self, mine: &[u8], lengths: &[c_int], starts: &[c_int], all: &mut [u8]) -> Result<()> {
        // SAFETY: the lengths and starts lie within `all` (made by the caller from the same lengths), one for each rank.
        let code = unsafe {
            ffi::MPI_Allgatherv(at(mine), count(mine.len())?, byte(), at_mut(all), lengths.as_ptr(), starts.as_ptr(), byte(), self.0)
        };
        check(code, "MPI_Allgatherv")
    }

    /// As [`all_gather_bytes`](Self::all_gather_bytes), for the root alone; `all` of the others is not touched.
    pub(super) fn gather_bytes(self, mine: &[u8], lengths: &[c_int], starts: &[c_int], all: &mut [u8], root: usize) -> Result<()> {
        // SAFETY: as in `all_gather_bytes`.
        let code = unsafe {
            ffi::MPI_Gatherv(
                at(mine),
                count(mine.len())?,
                byte(),
                at_mut(all),
                lengths.as_ptr(),
                starts.as_ptr(),
                byte(),
                root as c_int,
                self.0,
            )
        };
        check(code, "MPI_Gatherv")
    }

    /// Combines elements of MPI's own types by MPI's own operations, for all ranks or for one.
    pub(super) fn reduce(
        self,
        mine: &[u8],
        total: &mut [u8],
        element: (MPI_Datatype, usize),
        op: MPI_Op,
        root: Option<usize>,
    ) -> Result<()> {
        let (kind, size) = element;
        let n = count(mine.len().min(total.len()) / size)?;
        let (from, to) = (at(mine), at_mut(total));
        // SAFETY: both buffers hold `n` elements of `size` bytes; MPI reads and writes them only during the call, byte by byte or with
        // instructions that need no alignment on the machines that MPI runs on (the vectors come from the allocator and are aligned to 16).
        match root {
            None => check(unsafe { ffi::MPI_Allreduce(from, to, n, kind, op, self.0) }, "MPI_Allreduce"),
            Some(root) => check(unsafe { ffi::MPI_Reduce(from, to, n, kind, op, root as c_int, self.0) }, "MPI_Reduce"),
        }
    }

    /// The next message with a tag that has come, if any: its rank and length.
    pub(super) fn probe(self, from: Option<usize>, tag: c_int) -> Result<Option<(usize, usize)>> {
        let mut flag: c_int = 0;
        let mut status = MaybeUninit::<MPI_Status>::zeroed();
        // SAFETY: MPI writes a number and a status; zeros are a valid status of plain numbers.
        unsafe {
            let from = from.map_or(ffi::RSMPI_ANY_SOURCE, |from| from as c_int);
            check(ffi::MPI_Iprobe(from, tag, self.0, &raw mut flag, status.as_mut_ptr()), "MPI_Iprobe")?;
            if flag == 0 {
                return Ok(None);
            }
            let status = status.assume_init();
            Ok(Some((status.MPI_SOURCE as usize, received(&status)?)))
        }
    }

    /// Takes a message that was probed.
    pub(super) fn receive(self, data: &mut [u8], from: usize, tag: c_int) -> Result<()> {
        let mut status = MaybeUninit::<MPI_Status>::zeroed();
        // SAFETY: the buffer is as long as is said; MPI writes it and the status only during the call.
        let code = unsafe { ffi::MPI_Recv(at_mut(data), count(data.len())?, byte(), from as c_int, tag, self.0, status.as_mut_ptr()) };
        check(code, "MPI_Recv")
    }
}

/// How many bytes a message had.
pub(super) fn received(status: &MPI_Status) -> Result<usize> {
    let mut n: c_int = 0;
    // SAFETY: MPI reads the status and writes one number.
    check(unsafe { ffi::MPI_Get_count(ptr::from_ref(status), byte(), &raw mut n) }, "MPI_Get_count")?;
    Ok(n as usize)
}

/// True once MPI was initialised.
pub(super) fn is_initialised() -> bool {
    let mut flag: c_int = 0;
    // SAFETY: may be called at any time; MPI writes one number.
    unsafe { ffi::MPI_Initialized(&raw mut flag) == ffi::MPI_SUCCESS as c_int && flag != 0 }
}

/// True once MPI was finalised.
pub(super) fn is_finalised() -> bool {
    let mut flag: c_int = 0;
    // SAFETY: may be called at any time; MPI writes one number.
    unsafe { ffi::MPI_Finalized(&raw mut flag) == ffi::MPI_SUCCESS as c_int && flag != 0 }
}

/// Initialises MPI for calls by one thread at a time.
pub(super) fn initialise() -> Result<()> {
    let mut provided: c_int = 0;
    // SAFETY: MPI allows null arguments, and writes one number. The caller has seen that it is not initialised.
    check(
        unsafe { ffi::MPI_Init_thread(ptr::null_mut(), ptr::null_mut(), ffi::RSMPI_THREAD_SERIALIZED, &raw mut provided) },
        "MPI_Init_thread",
    )
}

/// Which threads may call MPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// Only the one that initialised it.
    Main,
    /// One at a time.
    OneAtATime,
    /// All at the same time.
    All,
}

pub(super) fn threads() -> Result<Threads> {
    let mut level: c_int = 0;
    // SAFETY: MPI is initialised (checked by the caller) and writes one number.
    unsafe {
        check(ffi::MPI_Query_thread(&raw mut level), "MPI_Query_thread")?;
        Ok(match level {
            level if level >= ffi::RSMPI_THREAD_MULTIPLE => Threads::All,
            level if level >= ffi::RSMPI_THREAD_SERIALIZED => Threads::OneAtATime,
            _ => Threads::Main,
        })
    }
}

/// True in the thread that initialised MPI.
pub(super) fn is_main_thread() -> bool {
    let mut flag: c_int = 0;
    // SAFETY: MPI is initialised (checked by the caller) and writes one number.
    unsafe { ffi::MPI_Is_thread_main(&raw mut flag) == ffi::MPI_SUCCESS as c_int && flag != 0 }
}

/// Ends MPI. Waits for all ranks.
pub(super) fn finalise() -> Result<()> {
    // SAFETY: MPI is initialised and not finalised (checked by the caller).
    check(unsafe { ffi::MPI_Finalize() }, "MPI_Finalize")
}

/// Ends all processes of the job.
pub(super) fn abort(code: c_int) {
    // SAFETY: MPI is initialised (checked by the caller).
    unsafe { ffi::MPI_Abort(world().0, code) };
}
