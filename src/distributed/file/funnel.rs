//! The ordered writer: every rank's part goes through rank 0, which alone has the file open. For formats, libraries and communicators that cannot
//! write from several ranks at once.
//!
//! A part is sent in pieces of bounded size, each when rank 0 asks for it, and written once where it belongs. Nothing is filled with zeros before,
//! no piece is written twice, and no rank opens the file again; so the time is that of one writer.

use super::cut::{Box, Cut, lengths, pieces, selection, within};
use super::exchange::bytes;
use crate::array::AnyArray;
use crate::distributed::Communicator;
use crate::error::{Error, Result, error};
use crate::tree::Dataset;

/// The most bytes of a message.
const PIECE: usize = 32 << 20;

const STOP: u8 = 0;
const SEND: u8 = 1;

/// Writes a dataset; rank 0 has it open. The failure is rank 0's to tell: the others are only asked to stop.
pub(super) fn write(
    comm: &dyn Communicator,
    to: Option<&dyn Dataset>,
    cut: &Cut,
    chunks: Option<&[usize]>,
    local: &AnyArray,
) -> Result<()> {
    let item = local.dtype().itemsize();
    let parts = |rank: usize| pieces(&cut.part(rank), item, chunks, PIECE);
    if comm.rank() != 0 {
        return send(comm, &parts(comm.rank()), &cut.part(comm.rank()), local);
    }
    let Some(to) = to else { return Err(error!(Corrupt, "rank 0 has no file to write to")) };
    let mut failed: Option<Error> = None;
    let whole = cut.part(0);
    for piece in parts(0) {
        let written = local.select(selection(&within(&piece, &whole))).and_then(|data| to.write_selection(&selection(&piece), &data));
        if let Err(e) = written {
            failed = Some(e);
            break;
        }
    }
    for rank in 1..comm.size() {
        for piece in parts(rank) {
            if failed.is_some() {
                comm.send_recv(Some((rank, &[STOP])), None)?;
                break;
            }
            if let Err(e) = receive(comm, rank, &piece, local, to)? {
                failed = Some(e);
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Sends the pieces one by one, while they are asked for.
fn send(comm: &dyn Communicator, pieces: &[Box], whole: &Box, local: &AnyArray) -> Result<()> {
    for piece in pieces {
        let mut asked = [STOP];
        comm.send_recv(None, Some((0, &mut asked)))?;
        if asked != [SEND] {
            break;
        }
        let data = local.select(selection(&within(piece, whole)));
        // Whether there will be data: this rank may have no memory for them.
        comm.send_recv(Some((0, &[u8::from(data.is_ok())])), None)?;
        let data = data?;
        comm.send_recv(Some((0, bytes(&data)?)), None)?;
    }
    Ok(())
}

/// Asks a rank for a piece and writes it. The outer error is that of the communicator.
fn receive(comm: &dyn Communicator, rank: usize, piece: &Box, like: &AnyArray, to: &dyn Dataset) -> Result<Result<()>> {
    let room = AnyArray::zeros(like.dtype().clone(), lengths(piece));
    let mut data = match room {
        Ok(room) => room,
        Err(e) => {
            comm.send_recv(Some((rank, &[STOP])), None)?;
            return Ok(Err(e));
        }
    };
    comm.send_recv(Some((rank, &[SEND])), None)?;
    let mut there = [0];
    comm.send_recv(None, Some((rank, &mut there)))?;
    if there != [1] {
        return Ok(Err(error!(Collective, "rank {rank} could not send its part").on_rank(rank)));
    }
    comm.send_recv(None, Some((rank, data.raw_mut()?.0)))?;
    Ok(to.write_selection(&selection(piece), &data))
}
