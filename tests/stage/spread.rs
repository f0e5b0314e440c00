//! Stages written on several ranks.

use crate::data::{Flash, flash, flashes_of, numbers, rows};
use memh5::distributed::{CommRef, ThreadComm};
use memh5::stage::*;
use memh5::{Error, ErrorKind, Result};
#[cfg(feature = "hdf5")]
use std::path::Path;

fn sources() -> Vec<SourceInfo> {
    (0..5).map(|i| SourceInfo::new(&format!("run{i}.root"), 100 + i, i).unwrap()).collect()
}

/// What a rank has in a round: events of several sources, with every kind of product that goes over the wire.
fn batch(rank: usize, round: usize) -> Batch {
    let all = sources();
    let events: Vec<usize> = (0..4).map(|i| rank * 1000 + round * 10 + i).collect();
    let of: Vec<SourceInfo> = events.iter().map(|e| all[(e / 3 + rank) % 5].clone()).collect();
    Batch::new(4)
        .with_sources(&of)
        .unwrap()
        .with("index", events.iter().map(|e| *e as i64).collect::<Vec<_>>())
        .unwrap()
        .with("loss", round as f64)
        .unwrap()
        .with("label", events.iter().map(|e| format!("event {e}")).collect::<Vec<_>>())
        .unwrap()
        .with("hits", events.iter().map(|e| rows(*e, e % 4, 3)).collect::<Vec<_>>())
        .unwrap()
        .with(
            "clusters",
            Product::flat(memh5::DType::I64, None, events.iter().map(|e| (0..e % 3).map(|i| numbers(*e, i)).collect::<Vec<_>>())).unwrap(),
        )
        .unwrap()
        .with("jagged", Product::jagged(events.iter().map(|e| vec![rows(*e, 1, 2), rows(*e, e % 3, 5)])).unwrap())
        .unwrap()
        .with(
            "flashes",
            flashes_of(&events.iter().map(|e| (0..e % 3).map(|i| flash(*e, i)).collect()).collect::<Vec<Vec<Flash>>>()).unwrap(),
        )
        .unwrap()
}

#[cfg(feature = "hdf5")]
fn check(reader: &StageReader, source: &SourceInfo) -> Vec<i64> {
    assert_eq!(reader.source(0).unwrap(), Some(source));
    let index: Vec<i64> = reader.product("index").unwrap().values().unwrap().view::<i64>().unwrap().iter().copied().collect();
    for (entry, e) in index.iter().enumerate() {
        let (event, e) = (reader.get(entry).unwrap(), *e as usize);
        assert_eq!(event.get::<String>("label").unwrap(), format!("event {e}"));
        assert_eq!(event.get::<ndarray::ArrayD<f32>>("hits").unwrap(), rows(e, e % 4, 3).into_dyn());
        assert_eq!(event.list::<Vec<i64>>("clusters").unwrap(), (0..e % 3).map(|i| numbers(e, i).to_vec()).collect::<Vec<_>>());
        assert_eq!(event.list::<ndarray::ArrayD<f32>>("jagged").unwrap()[1], rows(e, e % 3, 5).into_dyn());
        assert_eq!(event.objects::<Flash>("flashes").unwrap(), (0..e % 3).map(|i| flash(e, i)).collect::<Vec<_>>());
        assert_eq!(event.get::<f64>("loss").unwrap(), (e % 1000 / 10) as f64);
    }
    index
}

/// Runs the ranks; the first error if one fails.
fn on_ranks<T: Send>(ranks: usize, work: impl Fn(CommRef) -> Result<T> + Sync) -> Vec<Result<T>> {
    ThreadComm::run_each(ranks, work).unwrap()
}

#[test]
#[cfg(feature = "hdf5")]
fn every_event_is_in_the_cache_of_its_source() {
    let dir = tempfile::tempdir().unwrap();
    for (ranks, version) in [(1usize, FormatVersion::V1), (3, FormatVersion::V1), (4, FormatVersion::V2)] {
        let place = dir.path().join(format!("{ranks}"));
        let written = on_ranks(ranks, |comm| {
            let rank = comm.rank();
            let builder = StageHdf5Writer::builder().file_name(place.join("x.h5")).format_version(version).route_by_source(true);
            let mut writer = SpreadStageWriter::new(comm, builder)?;
            for round in 0..3 {
                // The last rank has nothing in one round.
                let own = (round != 1 || rank + 1 != ranks || ranks == 1).then(|| batch(rank, round));
                writer.write_stage("s", own.as_ref(), &StageOptions::new())?;
            }
            writer.finalize_stage("s")?;
            let caches: Vec<_> = writer.local().caches().into_iter().map(|(p, _)| p).collect();
            writer.close()?;
            Ok(caches)
        });
        let mut caches: Vec<_> = written.into_iter().flat_map(|r| r.unwrap()).collect();
        let count = caches.len();
        caches.sort();
        caches.dedup();
        assert_eq!(caches.len(), count, "no cache has two writers");
        let mut seen = Vec::new();
        for source in sources() {
            let path = place.join(format!("{}_stage.h5", source.file_name.trim_end_matches(".root")));
            let reader = StageReader::builder().verify(true).open([&path]).unwrap();
            let index = check(&reader, &source);
            assert!(
                index.windows(2).all(|w| w[0] % 1000 / 10 < w[1] % 1000 / 10 || w[0] < w[1]),
                "rounds in order, ranks in order: {index:?}"
            );
            seen.extend(index);
        }
        let rounds = |rank: usize| (0..3).filter(move |r| *r != 1 || rank + 1 != ranks || ranks == 1);
        let mut wanted: Vec<i64> =
            (0..ranks).flat_map(|r| rounds(r).flat_map(move |n| (0..4).map(move |i| (r * 1000 + n * 10 + i) as i64))).collect();
        seen.sort();
        wanted.sort();
        assert_eq!(seen, wanted, "{ranks} ranks");
    }
}

#[test]
fn what_is_wrong_on_one_rank_is_refused_on_all() {
    for what in 0..3 {
        let results = on_ranks(3, |comm| {
            let rank = comm.rank();
            let builder = StageHdf5Writer::builder().file_name("x.h5").in_memory();
            let mut writer = SpreadStageWriter::new(comm, builder)?;
            writer.write_stage("s", Some(&batch(rank, 0)), &StageOptions::new())?;
            let bad = match (what, rank) {
                (0, 1) => batch(rank, 1).with("label", 1).unwrap(),
                (1, 2) => Batch::new(0),
                (2, 0) => batch(rank, 1).with("more", 1).unwrap(),
                _ => batch(rank, 1),
            };
            let refused = writer.write_stage("s", Some(&bad), &StageOptions::new()).unwrap_err();
            // Nothing of the batch is anywhere, and the writers go on.
            writer.write_stage("s", Some(&batch(rank, 2)), &StageOptions::new())?;
            writer.finalize_stage("s")?;
            let events: usize =
                writer.local().caches().iter().map(|(_, root)| StageReader::of_groups([&*root.clone().unwrap()]).unwrap().len()).sum();
            Ok((refused, events))
        });
        let results: Vec<(Error, usize)> = results.into_iter().map(|r| r.unwrap()).collect();
        assert_eq!(results.iter().map(|r| r.1).sum::<usize>(), 24, "case {what}");
        for (e, _) in &results {
            assert_eq!((e.kind(), e.to_string()), (ErrorKind::Collective, results[0].0.to_string()), "case {what}");
        }
    }
}

#[test]
#[cfg(feature = "hdf5")]
fn a_disk_that_fails_on_one_rank_publishes_nothing_half() {
    use memh5::publish::{Fault, FaultFileSystem, Operation};
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("caches");
    let results = on_ranks(3, |comm| {
        let rank = comm.rank();
        let faulty = FaultFileSystem::new();
        let builder = StageHdf5Writer::builder().file_name(place.join("x.h5")).file_system(faulty.clone());
        let mut writer = SpreadStageWriter::new(comm, builder)?;
        let fails = writer.owner(&sources()[0]) == rank;
        writer.write_stage("s", Some(&batch(rank, 0)), &StageOptions::new())?;
        writer.finalize_stage("s")?;
        if fails {
            faulty.fail(Operation::Rename, 1, Fault::NoSpace);
        }
        writer.write_stage("t", Some(&batch(rank, 1)), &StageOptions::new())?;
        writer.finalize_stage("t")
    });
    for result in results {
        let e = result.unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Collective, "{e}");
        assert!(e.to_string().contains("no space left"), "{e}");
    }
    let all: Vec<String> = std::fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert!(!all.is_empty() && all.iter().all(|n| n.ends_with("_stage.h5") && !n.starts_with('.')), "{all:?}");
    for name in all {
        let path = place.join(Path::new(&name));
        let root = memh5::format::open(&path, memh5::Mode::Read).unwrap();
        let checks = check_stages(&*root).unwrap();
        assert!(checks.iter().all(|c| c.info.status == StageStatus::Complete && c.damages.is_empty()), "{name}");
        assert!(!checks.is_empty());
        root.close_tree().unwrap();
    }
}
