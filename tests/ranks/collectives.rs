//! What every communicator does with bytes and numbers.

use half::f16;
use memh5::distributed::{CommRef, Number, ReduceOp};
use memh5::{ErrorKind, Result};

crate::cases![
    barrier_and_rank,
    broadcast_from_each,
    gather_of_unequal_lengths,
    all_gather_of_unequal_lengths,
    all_to_all_of_unequal_lengths,
    pairwise_messages,
    reductions_of_all_numbers,
    reductions_in_rank_order,
    long_reductions,
    reductions_of_other_lengths,
    split_by_parity_and_reversed,
    split_of_a_split_and_none,
    rendezvous,
    poison_refuses_calls,
    wrong_arguments,
];

/// Bytes that tell rank and position.
fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (seed.wrapping_mul(89) ^ i.wrapping_mul(7) ^ (i >> 8)) as u8).collect()
}

fn barrier_and_rank(comm: &CommRef) -> Result<()> {
    assert!(comm.rank() < comm.size());
    for _ in 0..10 {
        comm.barrier()?;
    }
    let ranks = comm.all_gather(&(comm.rank() as u64).to_ne_bytes())?;
    let expected: Vec<_> = (0..comm.size() as u64).map(|rank| rank.to_ne_bytes().to_vec()).collect();
    assert_eq!(ranks, expected);
    Ok(())
}

fn broadcast_from_each(comm: &CommRef) -> Result<()> {
    for root in 0..comm.size() {
        for length in [0, 1, 5000] {
            let mut data = if comm.rank() == root { bytes(root, length) } else { vec![1; comm.rank()] };
            comm.broadcast(&mut data, root)?;
            assert_eq!(data, bytes(root, length));
        }
    }
    Ok(())
}

fn gather_of_unequal_lengths(comm: &CommRef) -> Result<()> {
    for root in 0..comm.size() {
        let got = comm.gather(&bytes(comm.rank(), comm.rank() * 100), root)?;
        let expected: Vec<_> = (0..comm.size()).map(|rank| bytes(rank, rank * 100)).collect();
        assert_eq!(got, (comm.rank() == root).then_some(expected));
    }
    Ok(())
}

fn all_gather_of_unequal_lengths(comm: &CommRef) -> Result<()> {
    for shift in 0..3 {
        let length = |rank: usize| (rank + shift) % 3 * 700;
        let got = comm.all_gather(&bytes(comm.rank(), length(comm.rank())))?;
        let expected: Vec<_> = (0..comm.size()).map(|rank| bytes(rank, length(rank))).collect();
        assert_eq!(got, expected);
    }
    Ok(())
}

fn all_to_all_of_unequal_lengths(comm: &CommRef) -> Result<()> {
    let part = |from: usize, to: usize| bytes(from * 10 + to, (from + 2 * to) % 5 * 333);
    let mine: Vec<_> = (0..comm.size()).map(|to| part(comm.rank(), to)).collect();
    let mine: Vec<&[u8]> = mine.iter().map(Vec::as_slice).collect();
    let expected: Vec<_> = (0..comm.size()).map(|from| part(from, comm.rank())).collect();
    assert_eq!(comm.all_to_all(&mine)?, expected);
    let nothing = vec![&[][..]; comm.size()];
    assert_eq!(comm.all_to_all(&nothing)?, vec![Vec::<u8>::new(); comm.size()]);
    Ok(())
}

fn pairwise_messages(comm: &CommRef) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    for step in 0..size {
        // A ring of each width, with itself too.
        let (to, from) = ((rank + step) % size, (rank + size - step) % size);
        for length in [0, 1, 4099] {
            let mut got = vec![0; length];
            comm.send_recv(Some((to, &bytes(rank, length))), Some((from, &mut got)))?;
            assert_eq!(got, bytes(from, length));
        }
    }
    // One way only, while the others go on.
    if size > 1 && rank == 0 {
        comm.send_recv(Some((size - 1, &bytes(7, 77))), None)?;
    } else if size > 1 && rank == size - 1 {
        let mut got = vec![0; 77];
        comm.send_recv(None, Some((0, &mut got)))?;
        assert_eq!(got, bytes(7, 77));
    }
    // Messages of one pair keep their order, and sizes that differ both ways.
    let (next, before) = ((rank + 1) % size, (rank + size - 1) % size);
    for round in 0..20 {
        let mut got = vec![0; 10 * before + round];
        comm.send_recv(Some((next, &bytes(rank + round, 10 * rank + round))), Some((before, &mut got)))?;
        assert_eq!(got, bytes(before + round, 10 * before + round));
    }
    comm.send_recv(None, None)?;
    comm.barrier()
}

/// Reduces one number over all ranks, to all and to each root.
fn reduce<const N: usize>(comm: &CommRef, number: Number, op: ReduceOp, mine: [u8; N]) -> Result<[u8; N]> {
    let mut data = mine;
    comm.all_reduce(&mut data, number, op)?;
    for root in 0..comm.size() {
        let mut at_root = mine;
        comm.reduce(&mut at_root, number, op, root)?;
        assert_eq!(at_root, if comm.rank() == root { data } else { mine });
    }
    Ok(data)
}

fn reductions_of_all_numbers(comm: &CommRef) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    let sum: usize = (1..=size).sum();
    let product: usize = (1..=size).product();
    macro_rules! check {
        ($($number:ident $t:ty;)+) => {$({
            let mine = ((rank + 1) as $t).to_ne_bytes();
            let get = |op, mine| Ok::<_, memh5::Error>(<$t>::from_ne_bytes(reduce(comm, Number::$number, op, mine)?));
            assert_eq!(get(ReduceOp::Sum, mine)?, sum as $t);
            assert_eq!(get(ReduceOp::Product, mine)?, product as $t);
            assert_eq!(get(ReduceOp::Min, mine)?, 1 as $t);
            assert_eq!(get(ReduceOp::Max, mine)?, size as $t);
            assert_eq!(get(ReduceOp::All, mine)?, 1 as $t);
            assert_eq!(get(ReduceOp::Any, mine)?, 1 as $t);
            let one_is_zero = ((rank != size - 1) as u8 as $t * 5 as $t).to_ne_bytes();
            assert_eq!(get(ReduceOp::All, one_is_zero)?, 0 as $t);
            assert_eq!(get(ReduceOp::Any, one_is_zero)?, (size > 1) as u8 as $t);
            assert_eq!(get(ReduceOp::Any, (0 as $t).to_ne_bytes())?, 0 as $t);
        })+};
    }
    check! { I8 i8; I16 i16; I32 i32; I64 i64; U8 u8; U16 u16; U32 u32; U64 u64; F32 f32; F64 f64; }
    let get = |op, x: f32| Ok::<_, memh5::Error>(f16::from_ne_bytes(reduce(comm, Number::F16, op, f16::from_f32(x).to_ne_bytes())?));
    assert_eq!(get(ReduceOp::Sum, rank as f32 + 1.0)?.to_f32(), sum as f32);
    assert_eq!(get(ReduceOp::Max, -(rank as f32))?.to_f32(), 0.0);
    assert_eq!(get(ReduceOp::Any, 0.0)?.to_f32(), 0.0);
    let complex = |re: f64, im: f64| -> [u8; 16] { [re.to_ne_bytes(), im.to_ne_bytes()].concat().try_into().unwrap() };
    assert_eq!(reduce(comm, Number::C128, ReduceOp::Sum, complex(1.0, rank as f64))?, complex(size as f64, (sum - size) as f64));
    assert_eq!(reduce(comm, Number::C128, ReduceOp::Any, complex(0.0, rank as f64))?, complex((size > 1) as u8 as f64, 0.0));
    let single = |re: f32, im: f32| -> [u8; 8] { [re.to_ne_bytes(), im.to_ne_bytes()].concat().try_into().unwrap() };
    assert_eq!(reduce(comm, Number::C64, ReduceOp::Sum, single(1.0, 2.0))?, single(size as f32, 2.0 * size as f32));
    // The extremes of the integers, which an order of another signedness would get wrong.
    let mine = if rank == 0 { i64::MIN } else { i64::MAX };
    assert_eq!(i64::from_ne_bytes(reduce(comm, Number::I64, ReduceOp::Min, mine.to_ne_bytes())?), i64::MIN);
    let mine = if rank == 0 { u64::MAX } else { 1 };
    assert_eq!(u64::from_ne_bytes(reduce(comm, Number::U64, ReduceOp::Max, mine.to_ne_bytes())?), u64::MAX);
    assert_eq!(u64::from_ne_bytes(reduce(comm, Number::U64, ReduceOp::Sum, mine.to_ne_bytes())?), u64::MAX.wrapping_add(size as u64 - 1));
    let nan = if rank == size / 2 { f64::NAN } else { rank as f64 };
    for op in [ReduceOp::Min, ReduceOp::Max] {
        assert!(f64::from_ne_bytes(reduce(comm, Number::F64, op, nan.to_ne_bytes())?).is_nan());
    }
    Ok(())
}

/// Terms whose sum depends on the order, so that another order would be seen.
fn term(rank: usize, index: usize) -> f64 {
    let x = ((rank * 7919 + index * 104_729) % 1000) as f64 / 7.0;
    if (rank + index).is_multiple_of(3) { x * 1e15 } else { -x }
}

fn reductions_in_rank_order(comm: &CommRef) -> Result<()> {
    for length in [1, 100, 2000] {
        let mut data: Vec<u8> = (0..length).flat_map(|index| term(comm.rank(), index).to_ne_bytes()).collect();
        comm.all_reduce(&mut data, Number::F64, ReduceOp::Sum)?;
        let expected: Vec<u8> = (0..length)
            .flat_map(|index| (1..comm.size()).fold(term(0, index), |sum, rank| sum + term(rank, index)).to_ne_bytes())
            .collect();
        assert!(data == expected, "{length} sums");
    }
    Ok(())
}

fn long_reductions(comm: &CommRef) -> Result<()> {
    let count = 50_001;
    let mine: Vec<u8> = (0..count).flat_map(|i| (i as u32 ^ comm.rank() as u32).to_ne_bytes()).collect();
    let expected: Vec<u8> =
        (0..count).flat_map(|i| (0..comm.size()).map(|rank| i as u32 ^ rank as u32).fold(0, u32::wrapping_add).to_ne_bytes()).collect();
    let mut data = mine.clone();
    comm.all_reduce(&mut data, Number::U32, ReduceOp::Sum)?;
    assert!(data == expected);
    for root in [0, comm.size() - 1] {
        let mut data = mine.clone();
        comm.reduce(&mut data, Number::U32, ReduceOp::Sum, root)?;
        assert!(data == if comm.rank() == root { expected.clone() } else { mine.clone() });
    }
    let mut floats: Vec<u8> = (0..count).flat_map(|i| (i as f32).to_ne_bytes()).collect();
    comm.reduce(&mut floats, Number::F32, ReduceOp::Max, 0)?;
    assert_eq!(floats[4 * 777..4 * 778], 777f32.to_ne_bytes());
    comm.all_reduce(&mut [], Number::F64, ReduceOp::Sum)
}

fn reductions_of_other_lengths(comm: &CommRef) -> Result<()> {
    if comm.size() == 1 {
        return Ok(());
    }
    for number in [Number::F64, Number::I64] {
        let comm = comm.split(Some(0), comm.rank())?.unwrap();
        let mut data = vec![0; if comm.rank() == 1 { 16 } else { 8 }];
        let error = comm.all_reduce(&mut data, number, ReduceOp::Sum).unwrap_err();
        assert_eq!((error.kind(), error.rank()), (ErrorKind::InvalidArgument, Some(1)), "{error}");
    }
    Ok(())
}

fn split_by_parity_and_reversed(comm: &CommRef) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    let color = u32::MAX - (rank % 2) as u32;
    let half = comm.split(Some(color), size - rank)?.unwrap();
    assert_ne!(half.id(), comm.id());
    let mut members: Vec<u8> = (0..size).filter(|other| other % 2 == rank % 2).map(|other| other as u8).collect();
    members.reverse();
    assert_eq!(half.all_gather(&[rank as u8])?.concat(), members);
    // The parent works meanwhile.
    assert_eq!(comm.all_gather(&[rank as u8])?.len(), size);
    Ok(())
}

fn split_of_a_split_and_none(comm: &CommRef) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    let some = comm.split((rank != 0).then_some(7), 0)?;
    assert_eq!(some.is_none(), rank == 0);
    if let Some(some) = some {
        assert_eq!((some.rank(), some.size()), (rank - 1, size - 1));
        let alone = some.split(Some(rank as u32), 0)?.unwrap();
        assert_eq!((alone.rank(), alone.size()), (0, 1));
        assert_eq!(alone.all_gather(b"x")?, [b"x"]);
        some.barrier()?;
    }
    comm.barrier()
}

fn rendezvous(comm: &CommRef) -> Result<()> {
    comm.rendezvous(None)?;
    for _ in 0..20 {
        comm.rendezvous(Some(std::time::Duration::from_secs(20)))?;
    }
    comm.barrier()
}

fn poison_refuses_calls(comm: &CommRef) -> Result<()> {
    let mine = comm.split(Some(0), comm.rank())?.unwrap();
    assert!(mine.poisoned().is_none());
    mine.poison(memh5::Error::new(ErrorKind::Collective, "bitter"));
    mine.poison(memh5::Error::new(ErrorKind::Collective, "more"));
    assert_eq!(mine.barrier().unwrap_err().message(), "bitter");
    assert_eq!(mine.poisoned().unwrap().message(), "bitter");
    assert_eq!(mine.all_gather(b"").unwrap_err().message(), "bitter");
    assert_eq!(mine.send_recv(None, None).map_or_else(|e| e.message().to_owned(), |()| "bitter".to_owned()), "bitter");
    assert_eq!(mine.all_reduce(&mut [0; 8], Number::U64, ReduceOp::Sum).unwrap_err().message(), "bitter");
    // The others are not touched.
    comm.barrier()
}

fn wrong_arguments(comm: &CommRef) -> Result<()> {
    let size = comm.size();
    let kind = |result: Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(comm.broadcast(&mut Vec::new(), size)), ErrorKind::InvalidArgument);
    assert_eq!(kind(comm.gather(&[], size).map(drop)), ErrorKind::InvalidArgument);
    assert_eq!(kind(comm.all_to_all(&[&[][..]; 9]).map(drop)), ErrorKind::InvalidArgument);
    assert_eq!(kind(comm.all_reduce(&mut [0; 7], Number::F64, ReduceOp::Sum)), ErrorKind::InvalidArgument);
    assert_eq!(kind(comm.all_reduce(&mut [0; 8], Number::C64, ReduceOp::Max)), ErrorKind::Unsupported);
    assert_eq!(kind(comm.reduce(&mut [0; 8], Number::F64, ReduceOp::Sum, size)), ErrorKind::InvalidArgument);
    assert_eq!(kind(comm.send_recv(Some((size, &[])), None)), ErrorKind::InvalidArgument);
    assert_eq!(kind(comm.send_recv(None, Some((size, &mut [])))), ErrorKind::InvalidArgument);
    assert_eq!(kind(comm.send_recv(Some((comm.rank(), &[])), None)), ErrorKind::Collective);
    assert_eq!(kind(comm.send_recv(Some((comm.rank(), &[1])), Some((comm.rank(), &mut [])))), ErrorKind::Collective);
    comm.barrier()
}
