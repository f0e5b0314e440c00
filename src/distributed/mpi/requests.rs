//! Messages under way.

use super::raw::{RawComm, at, at_mut, byte, check, count, received};
use super::reporting::Reporting;
use crate::error::{Error, Result, error};
use mpi::ffi::{self, MPI_Request, MPI_Status};
use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Messages that MPI is sending and receiving, and the buffers that it uses meanwhile.
///
/// The buffers are borrowed until all messages are done: [`wait`](Self::wait), or the drop, returns only then.
pub(super) struct Requests<'a> {
    comm: RawComm,
    under_way: Vec<MPI_Request>,
    /// The length that each must have, for those that are received.
    expected: Vec<Option<(usize, usize)>>,
    buffers: PhantomData<&'a mut [u8]>,
}

impl<'a> Requests<'a> {
    pub(super) fn new(comm: RawComm) -> Self {
        Self { comm, under_way: Vec::new(), expected: Vec::new(), buffers: PhantomData }
    }

    pub(super) fn send(&mut self, data: &'a [u8], to: usize, tag: c_int) -> Result<()> {
        let mut request = MaybeUninit::uninit();
        let n = count(data.len())?;
        // SAFETY: the buffer is borrowed until the request is done (see the type); MPI writes the request if it succeeds.
        let request = unsafe {
            check(ffi::MPI_Isend(at(data), n, byte(), to as c_int, tag, self.comm.0, request.as_mut_ptr()), "MPI_Isend")?;
            request.assume_init()
        };
        self.under_way.push(request);
        self.expected.push(None);
        Ok(())
    }

    pub(super) fn receive(&mut self, data: &'a mut [u8], from: usize, tag: c_int) -> Result<()> {
        let mut request = MaybeUninit::uninit();
        let n = count(data.len())?;
        // SAFETY: as in `send`; nobody else touches the buffer, which is borrowed for writing.
        let request = unsafe {
            check(ffi::MPI_Irecv(at_mut(data), n, byte(), from as c_int, tag, self.comm.0, request.as_mut_ptr()), "MPI_Irecv")?;
            request.assume_init()
        };
        self.under_way.push(request);
        self.expected.push(Some((from, data.len())));
        Ok(())
    }

    /// Waits until all messages are done, and checks their lengths.
    pub(super) fn wait(mut self) -> Result<()> {
        self.wait_for_all()
    }

    fn wait_for_all(&mut self) -> Result<()> {
        let mut first: Option<Error> = None;
        let expected = std::mem::take(&mut self.expected);
        let _reporting = (!self.under_way.is_empty()).then(Reporting::begin);
        for (request, expected) in self.under_way.drain(..).zip(expected) {
            let (mut request, mut status) = (request, MaybeUninit::<MPI_Status>::zeroed());
            // SAFETY: the request was made above and is waited for once; zeros are a valid status.
            let (code, status) = unsafe {
                let code = ffi::MPI_Wait(&raw mut request, status.as_mut_ptr());
                (code, status.assume_init())
            };
            let done = check(code, "a message");
            let right = |(from, length): (usize, usize)| match received(&status)? {
                got if got == length => Ok(()),
                got => Err(error!(Collective, "rank {from} sent {got} bytes where {length} were expected").on_rank(from)),
            };
            let checked = match (done, expected) {
                (Ok(()), Some(expected)) => right(expected),
                (Err(error), Some((from, length))) => {
                    Err(error!(Collective, "rank {from} sent more than the {length} bytes that were expected").on_rank(from).because(error))
                }
                (done, None) => done,
            };
            if let Err(error) = checked {
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Tests whether all messages are done, without waiting.
    pub(super) fn done(&mut self) -> Result<bool> {
        let mut all = true;
        let _reporting = Reporting::begin();
        for request in &mut self.under_way {
            let (mut flag, mut status): (c_int, _) = (0, MaybeUninit::<MPI_Status>::zeroed());
            // SAFETY: the request is valid, or the null request that MPI left when it was done.
            check(unsafe { ffi::MPI_Test(std::ptr::from_mut(request), &raw mut flag, status.as_mut_ptr()) }, "MPI_Test")?;
            all &= flag != 0;
        }
        Ok(all)
    }
}

impl Requests<'static> {
    /// Leaves messages alone whose buffers live for ever.
    pub(super) fn forget(mut self) {
        self.under_way.clear();
    }
}

impl Drop for Requests<'_> {
    fn drop(&mut self) {
        // A call failed while messages are under way: their buffers are MPI's until they are done. If they never are, a watchdog ends the job.
        let _ = self.wait_for_all();
    }
}
