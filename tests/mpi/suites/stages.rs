//! Stages that ranks of MPI write: every cache has one writer, and a failure on one rank is one on all.

use crate::ranks::files::Scratch;
use memh5::distributed::CommRef;
use memh5::publish::{Fault, FaultFileSystem, Operation};
use memh5::stage::*;
use memh5::{ErrorKind, Mode, Result, format};
use std::path::Path;

crate::cases![
    every_event_is_in_the_cache_of_its_source,
    a_mistake_of_one_rank_is_refused_on_all,
    a_disk_that_fails_on_one_rank,
    caches_that_are_locked_elsewhere,
    both_versions_with_references_in_bulk,
];

fn sources() -> Vec<SourceInfo> {
    (0..5).map(|i| SourceInfo::new(&format!("run{i}.root"), 100 + i, i).unwrap()).collect()
}

/// The events of a rank in a round: each of another source, with lists and objects.
fn batch(rank: usize, round: usize, events: usize) -> Batch {
    let all = sources();
    let events: Vec<usize> = (0..events).map(|i| rank * 10_000 + round * 1000 + i).collect();
    let of: Vec<SourceInfo> = events.iter().map(|e| all[(e / 3 + rank) % 5].clone()).collect();
    let hits = |e: &usize| ndarray::Array2::from_shape_fn((e % 4, 3), |(i, j)| (e * 100 + i * 3 + j) as f32);
    let lists = |e: &usize| (0..e % 13).map(|i| (0..i).map(|k| (e + k) as i64).collect::<Vec<_>>()).collect::<Vec<_>>();
    Batch::new(events.len())
        .with_sources(&of)
        .unwrap()
        .with("index", events.iter().map(|e| *e as i64).collect::<Vec<_>>())
        .unwrap()
        .with("label", events.iter().map(|e| format!("event {e}")).collect::<Vec<_>>())
        .unwrap()
        .with("hits", events.iter().map(hits).collect::<Vec<_>>())
        .unwrap()
        .with("lists", Product::flat(memh5::DType::I64, None, events.iter().map(lists)).unwrap())
        .unwrap()
}

/// The events of a cache, each checked.
fn check(path: &Path, stage: &str) -> Result<Vec<i64>> {
    let reader = StageReader::builder().stage(stage).verify(true).open([path])?;
    let index: Vec<i64> = reader.product("index")?.values().unwrap().view::<i64>()?.iter().copied().collect();
    for (entry, e) in index.iter().enumerate() {
        let event = reader.get(entry)?;
        assert_eq!(event.get::<String>("label")?, format!("event {e}"));
        let hits = event.get::<ndarray::ArrayD<f32>>("hits")?;
        assert_eq!(hits.shape(), [*e as usize % 4, 3]);
        assert!(hits.iter().enumerate().all(|(i, v)| *v == (e * 100 + i as i64) as f32));
        let lists = event.list::<Vec<i64>>("lists")?;
        assert_eq!(lists.len(), *e as usize % 13);
        assert!(lists.iter().enumerate().all(|(i, l)| *l == (0..i as i64).map(|k| e + k).collect::<Vec<_>>()));
    }
    Ok(index)
}

fn builder(place: &Scratch) -> StageHdf5WriterBuilder {
    StageHdf5Writer::builder().file_name(place.file("x.h5")).route_by_source(true)
}

/// Writes some rounds of a stage on all ranks, checks all caches on all ranks, and gives the number of events.
fn round_trip(comm: &CommRef, place: &Scratch, stage: &str, version: FormatVersion, events: usize) -> Result<usize> {
    let mut writer = SpreadStageWriter::new(comm.clone(), builder(place).format_version(version))?;
    for round in 0..3 {
        // The last rank has nothing in one round.
        let idle = round == 1 && comm.size() > 1 && comm.rank() + 1 == comm.size();
        let own = (!idle).then(|| batch(comm.rank(), round, events));
        writer.write_stage(stage, own.as_ref(), &StageOptions::new())?;
    }
    writer.finalize_stage(stage)?;
    let own: Vec<u8> = writer.local().caches().iter().map(|(p, _)| p.file_name().unwrap().to_str().unwrap().as_bytes()[3]).collect();
    writer.close()?;
    // No cache has two writers, and each has the one that its source tells.
    let mut all = comm.all_gather(&own)?.concat();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
    assert_eq!(place.names()?.len(), count, "neither a lock nor a copy is left");
    let mut seen = Vec::new();
    for source in sources().iter().filter(|s| all.contains(&s.file_name.as_bytes()[3])) {
        let index = check(&place.file(&format!("{}_stage.h5", source.file_name.trim_end_matches(".root"))), stage)?;
        let place_of = |e: i64| (e % 10_000 / 1000, e / 10_000);
        assert!(index.windows(2).all(|w| place_of(w[0]) <= place_of(w[1])), "rounds in order, and in each the ranks: {index:?}");
        seen.extend(index);
    }
    seen.sort();
    seen.dedup();
    Ok(seen.len())
}

fn every_event_is_in_the_cache_of_its_source(comm: &CommRef) -> Result<()> {
    let place = Scratch::new(comm)?;
    let rounds = if comm.size() > 1 { 3 * comm.size() - 1 } else { 3 };
    assert_eq!(round_trip(comm, &place, "s", FormatVersion::V1, 7)?, 7 * rounds);
    // A second stage in the same caches.
    assert_eq!(round_trip(comm, &place, "t", FormatVersion::V1, 15)?, 15 * rounds);
    for name in place.names()? {
        check(&place.file(&name), "s")?;
    }
    comm.barrier()
}

fn both_versions_with_references_in_bulk(comm: &CommRef) -> Result<()> {
    for version in [FormatVersion::V1, FormatVersion::V2] {
        let place = Scratch::new(comm)?;
        let rounds = if comm.size() > 1 { 3 * comm.size() - 1 } else { 3 };
        assert_eq!(round_trip(comm, &place, "s", version, 600)?, 600 * rounds);
        // The directory goes with rank 0, when all have read.
        comm.barrier()?;
    }
    Ok(())
}

fn a_mistake_of_one_rank_is_refused_on_all(comm: &CommRef) -> Result<()> {
    let place = Scratch::new(comm)?;
    let mut writer = SpreadStageWriter::new(comm.clone(), builder(&place))?;
    writer.write_stage("s", Some(&batch(comm.rank(), 0, 6)), &StageOptions::new())?;
    let wrong = comm.size() - 1;
    for mistake in 0..3 {
        let good = batch(comm.rank(), 1, 6);
        let bad = match (mistake, comm.rank() == wrong) {
            (0, true) => good.with("label", 1)?,
            (1, true) => Batch::new(0),
            (2, true) => good.with("more", 1)?,
            _ => good,
        };
        let e = writer.write_stage("s", Some(&bad), &StageOptions::new()).unwrap_err();
        let told = comm.all_gather(e.to_string().as_bytes())?;
        assert!(told.iter().all(|t| *t == told[0]), "all ranks get one error: {told:?}");
    }
    // Nothing of these batches is anywhere, and the writers go on.
    writer.write_stage("s", Some(&batch(comm.rank(), 2, 6)), &StageOptions::new())?;
    writer.finalize_stage("s")?;
    writer.close()?;
    let mut events = 0;
    for name in place.names()? {
        events += check(&place.file(&name), "s")?.len();
    }
    assert_eq!(events, 12 * comm.size());
    comm.barrier()
}

fn a_disk_that_fails_on_one_rank(comm: &CommRef) -> Result<()> {
    let place = Scratch::new(comm)?;
    let faulty = FaultFileSystem::new();
    let mut writer = SpreadStageWriter::new(comm.clone(), builder(&place).file_system(faulty.clone()))?;
    let fails = writer.owner(&sources()[0]) == comm.rank();
    writer.write_stage("s", Some(&batch(comm.rank(), 0, 15)), &StageOptions::new())?;
    writer.finalize_stage("s")?;
    if fails {
        faulty.fail(Operation::Rename, 1, Fault::NoSpace);
    }
    writer.write_stage("t", Some(&batch(comm.rank(), 1, 15)), &StageOptions::new())?;
    let e = writer.finalize_stage("t").unwrap_err();
    assert!(e.to_string().contains("no space left"), "{e}");
    drop(writer);
    for name in place.names()? {
        assert!(name.ends_with("_stage.h5") && !name.starts_with('.'), "{name}");
        check(&place.file(&name), "s")?;
        let root = format::open(place.file(&name), Mode::Read)?;
        assert!(check_stages(&*root)?.iter().all(|c| c.info.status == StageStatus::Complete && c.damages.is_empty()), "{name}");
        root.close_tree()?;
    }
    comm.barrier()
}

fn caches_that_are_locked_elsewhere(comm: &CommRef) -> Result<()> {
    let place = Scratch::new(comm)?;
    let source = sources().remove(0);
    let mut other = StageHdf5Writer::builder().file_name(place.file("run0_stage.h5")).build()?;
    if comm.rank() == 0 {
        let batch = Batch::new(1).with_source(&source)?.with("x", vec![1.0])?;
        other.write_stage("a", &batch, &StageOptions::new())?;
    }
    comm.barrier()?;
    let mut writer = SpreadStageWriter::new(comm.clone(), builder(&place))?;
    let own = batch(comm.rank(), 0, 15);
    let e = writer.write_stage("s", Some(&own), &StageOptions::new()).unwrap_err();
    assert!(matches!(e.kind(), ErrorKind::Collective | ErrorKind::Locked) && e.to_string().contains("process"), "the holder is named: {e}");
    comm.barrier()?;
    if comm.rank() == 0 {
        other.finalize_stage("a")?;
        other.close()?;
    }
    comm.barrier()?;
    // No lock was kept by those who could have gone on, and all go on now.
    writer.write_stage("s", Some(&own), &StageOptions::new())?;
    writer.finalize_stage("s")?;
    writer.close()?;
    check(&place.file("run0_stage.h5"), "s")?;
    assert_eq!(StageReader::builder().stage("a").open([place.file("run0_stage.h5")])?.len(), 1);
    comm.barrier()
}
