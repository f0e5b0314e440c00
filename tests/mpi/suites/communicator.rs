//! What is special about communicators of MPI: long messages, what the program has made itself, handles.

use crate::ranks;
use memh5::distributed::{CommRef, MpiComm, Number, ReduceOp};
use memh5::{ErrorKind, Result};
use mpi::topology::{Color, SimpleCommunicator};
use mpi::traits::{AsRaw, Communicator as _};

crate::cases![
    all_suites_with_messages_in_small_pieces,
    a_message_of_another_length,
    communicators_of_the_program,
    the_world_is_one,
    limits_are_agreed,
    communicators_are_given_back,
    other_messages_are_not_met,
    long_messages_for_real,
];

/// The suites again, on communicators that cut messages after a few bytes.
fn all_suites_with_messages_in_small_pieces(_: &CommRef) -> Result<()> {
    for limit in [7, 1000] {
        let comm = MpiComm::duplicate_with_limit(&SimpleCommunicator::world(), limit)?;
        for (name, case) in ranks::collectives::CASES {
            // Long ones in messages of a few bytes take long.
            if limit > 7 || !name.contains("reductions") {
                case(&comm)?;
            }
        }
        ranks::agreement::CASES.iter().try_for_each(|(_, case)| case(&comm))?;
    }
    Ok(())
}

fn a_message_of_another_length(comm: &CommRef) -> Result<()> {
    if comm.size() == 1 {
        return Ok(());
    }
    for (sent, expected) in [(3, 2), (2, 3), (1000, 999), (1000, 0), (0, 5), (5, 10), (10, 5), (15, 10)] {
        let comm = MpiComm::duplicate_with_limit(&SimpleCommunicator::world(), 5)?;
        // What is sent beyond what is expected stays in MPI, which takes messages as short as these from the sender at once.
        if comm.rank() == 0 {
            comm.send_recv(Some((1, &vec![1; sent])), None)?;
        } else if comm.rank() == 1 {
            let error = comm.send_recv(None, Some((0, &mut vec![0; expected]))).unwrap_err();
            assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(0)), "{sent} for {expected}: {error}");
        }
    }
    comm.barrier()
}

fn communicators_of_the_program(comm: &CommRef) -> Result<()> {
    let world = SimpleCommunicator::world();
    let odd = comm.rank() % 2;
    let theirs = world.split_by_color(Color::with_value(odd as i32)).expect("a color was given");
    let ours = MpiComm::duplicate(&theirs)?;
    assert_eq!((ours.rank(), ours.size()), (theirs.rank() as usize, theirs.size() as usize));
    let members: Vec<u8> = (0..comm.size() as u8).filter(|rank| *rank as usize % 2 == odd).collect();
    assert_eq!(ours.all_gather(&[comm.rank() as u8])?.concat(), members);
    // Ours goes on when theirs has gone.
    drop(theirs);
    ours.barrier()?;
    ranks::collectives::CASES.iter().try_for_each(|(_, case)| case(&ours))?;
    // SAFETY: the world is a valid communicator while MPI runs.
    let raw = unsafe { MpiComm::from_raw(world.as_raw()) }?;
    assert_eq!(raw.size(), comm.size());
    assert!(MpiComm::of(&raw).is_some());
    assert!(MpiComm::of(&(std::sync::Arc::new(memh5::distributed::SelfComm::new()) as CommRef)).is_none());
    Ok(())
}

fn the_world_is_one(comm: &CommRef) -> Result<()> {
    assert_eq!(MpiComm::world()?.id(), MpiComm::world()?.id());
    assert_ne!(MpiComm::world()?.id(), comm.id());
    Ok(())
}

fn limits_are_agreed(comm: &CommRef) -> Result<()> {
    let world = SimpleCommunicator::world();
    let kind = |limit| MpiComm::duplicate_with_limit(&world, limit).map(drop).map_err(|error| error.kind());
    assert_eq!(kind(0), Err(ErrorKind::InvalidArgument));
    let unequal = kind(100 + comm.rank());
    assert_eq!(unequal, if comm.size() == 1 { Ok(()) } else { Err(ErrorKind::InvalidArgument) });
    Ok(())
}

/// MPI has some ten thousands of communicators at a time. (To make as many on several ranks takes long.)
fn communicators_are_given_back(comm: &CommRef) -> Result<()> {
    for _ in 0..if comm.size() == 1 { 66_000 } else { 500 } {
        drop(comm.split(Some(0), 0)?);
    }
    Ok(())
}

/// Messages of the program on its own communicator stay where they are.
fn other_messages_are_not_met(comm: &CommRef) -> Result<()> {
    use mpi::traits::{Destination, Source};
    let world = SimpleCommunicator::world();
    let (rank, size) = (comm.rank(), comm.size());
    let (next, before) = ((rank + 1) % size, (rank + size - 1) % size);
    let theirs = 4711 + rank as u64;
    mpi::request::scope(|scope| {
        let sent = world.process_at_rank(next as i32).immediate_send_with_tag(scope, &theirs, 1);
        let mut got = [0];
        let done = comm.send_recv(Some((next, &[rank as u8])), Some((before, &mut got)));
        let (came, _) = world.process_at_rank(before as i32).receive_with_tag::<u64>(1);
        sent.wait();
        done?;
        assert_eq!((got, came), ([before as u8], 4711 + before as u64));
        Ok(())
    })
}

/// More bytes than a C int counts, in one message. Set `MEMH5_LONG=1`: it takes 9 GiB.
fn long_messages_for_real(comm: &CommRef) -> Result<()> {
    if std::env::var_os("MEMH5_LONG").is_none() || comm.size() != 2 {
        return Ok(());
    }
    let length = (1 << 31) + 12_345;
    let byte = |i: usize| (i ^ (i >> 13)) as u8;
    let marks = || (0..length).step_by(4093).chain([length - 1]);
    let right = |data: &[u8]| data.len() == length && marks().all(|i| data[i] == byte(i));
    let mut mine = Vec::new();
    if comm.rank() == 0 {
        mine.resize(length, 0);
        marks().for_each(|i| mine[i] = byte(i));
    }
    if comm.rank() == 0 {
        comm.send_recv(Some((1, &mine)), None)?;
    } else {
        let mut got = vec![0; length];
        comm.send_recv(None, Some((0, &mut got)))?;
        assert!(right(&got));
    }
    let mut data = mine.clone();
    comm.broadcast(&mut data, 0)?;
    assert!(right(&data));
    drop(data);
    let got = comm.gather(&mine, 1)?;
    assert!(got.is_none_or(|got| right(&got[0]) && got[1].is_empty()));
    let got = comm.all_to_all(&if comm.rank() == 0 { [&[][..], &mine] } else { [&[], &[]] })?;
    assert!(if comm.rank() == 1 { right(&got[0]) } else { got[0].is_empty() });
    drop(got);
    let mut ones = vec![1u8; length];
    comm.all_reduce(&mut ones, Number::U8, ReduceOp::Sum)?;
    assert!(marks().all(|i| ones[i] == 2));
    Ok(())
}
