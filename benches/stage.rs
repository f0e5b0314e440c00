//! How fast are stages? The workload of nine products per event, written to a cache and read again, whole and event by event.
//!
//! One line per question: its name, the seconds (median), a note. `peers/stage.py` answers the same questions with plain h5py (bulk) and with
//! spine's own writer and reader. The files lie in `MEMH5_BENCH_DIR`, or in the directory for temporary files; nothing is synced, and what is
//! read is in the page cache. `MEMH5_BENCH_ONLY`, a part of a name, leaves the other questions out.

use memh5::array::IntoArray;
use memh5::publish::Durability;
use memh5::stage::{Batch, FormatVersion, Product, SourceInfo, StageHdf5Writer, StageReader};
use memh5::{AnyArray, DType};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Events per call of the writer.
const BATCH: usize = 500;

/// A product by name, and the arrays of each event.
type Named = (&'static str, Vec<Vec<AnyArray>>);

fn measure<R>(question: &str, note: &str, repeats: usize, mut work: impl FnMut() -> memh5::Result<R>) -> memh5::Result<()> {
    if std::env::var("MEMH5_BENCH_ONLY").is_ok_and(|only| !question.contains(&only)) {
        return Ok(());
    }
    let mut times: Vec<Duration> = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let start = Instant::now();
        let result = work()?;
        times.push(start.elapsed());
        drop(black_box(result));
    }
    times.sort_unstable();
    println!("{question}\t{:.6}\t{note}", times[repeats / 2].as_secs_f64());
    Ok(())
}

/// The arrays of some events, behind each other.
struct Columns {
    events: usize,
    voxels: usize,
    arrays: Vec<(&'static str, AnyArray, usize)>,
}

impl Columns {
    fn new(events: usize, voxels: usize) -> memh5::Result<Self> {
        let floats = |rows: usize, width: usize| -> memh5::Result<AnyArray> {
            (0..rows * width).map(|i| i as f32).collect::<Vec<f32>>().into_array()?.reshape(&[rows, width])
        };
        let ints = |n: usize| AnyArray::from((0..n as i64).collect::<Vec<i64>>());
        let arrays = vec![
            ("voxels", floats(events * voxels, 5)?, voxels),
            ("labels", ints(events * voxels), voxels),
            ("groups", ints(events * voxels), voxels),
            ("clusters", ints(events * voxels), voxels),
            ("edges", ints(events * 400).reshape(&[events * 200, 2])?, 200),
            ("edge_features", floats(events * 200, 19)?, 200),
            ("node_features", floats(events * 30, 16)?, 30),
            ("loss", AnyArray::from((0..events).map(|e| e as f64).collect::<Vec<f64>>()), 1),
        ];
        Ok(Self { events, voxels, arrays })
    }

    /// As a caller has them who works on columns: nothing is copied.
    fn batch(&self, first: usize, source: &SourceInfo) -> memh5::Result<Batch> {
        let mut batch = Batch::new(self.events).with_source(source)?;
        batch.put("index", (first as i64..(first + self.events) as i64).collect::<Vec<_>>())?;
        for (name, array, rows) in &self.arrays {
            let product = match *name {
                "loss" => Product::scalars(array)?,
                "clusters" => {
                    // 30 arrays per event, of all its voxels.
                    let per = self.voxels / 30;
                    let lengths: Vec<usize> =
                        (0..self.events * 30).map(|i| if i % 30 == 29 { self.voxels - 29 * per } else { per }).collect();
                    Product::flat_rows(array, &lengths, &vec![30; self.events])?
                }
                _ => Product::rows(array, &vec![*rows; self.events])?,
            };
            batch.put(name, product)?;
        }
        Ok(batch)
    }

    /// As a caller has them who works on events: each array on its own.
    fn apart(&self) -> memh5::Result<Vec<Named>> {
        let per = self.voxels / 30;
        let mut out = Vec::new();
        for (name, array, rows) in self.arrays.iter().filter(|(n, ..)| *n != "loss") {
            let mut events = Vec::with_capacity(self.events);
            for e in 0..self.events {
                let one = array.select(e * rows..(e + 1) * rows)?;
                events.push(match *name {
                    "clusters" => (0..30)
                        .map(|i| one.select(i * per..if i == 29 { self.voxels } else { (i + 1) * per }))
                        .collect::<memh5::Result<Vec<_>>>()?,
                    _ => vec![one],
                });
            }
            out.push((*name, events));
        }
        Ok(out)
    }
}

fn write(path: &Path, version: FormatVersion, batches: impl Iterator<Item = memh5::Result<Batch>>) -> memh5::Result<()> {
    let mut writer = StageHdf5Writer::builder()
        .file_name(path)
        .overwrite(true)
        .durability(Durability::Process)
        .format_version(version)
        .stage("bench")
        .build()?;
    for batch in batches {
        writer.write(&batch?)?;
    }
    writer.finalize()
}

fn main() -> memh5::Result<()> {
    let dir = std::env::var_os("MEMH5_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = dir.join(format!("memh5-bench-stage-{}.h5", std::process::id()));
    let source = SourceInfo::new("source.root", 1, 1)?;
    for (events, voxels, repeats) in [(1_000, 100, 5), (10_000, 100, 3), (1_000, 5_000, 3)] {
        let columns = Columns::new(BATCH, voxels)?;
        let calls = events / BATCH;
        let name = |what: &str| format!("{what} {events} events of {voxels} voxels");
        for (version, label) in [(FormatVersion::V1, "version 1"), (FormatVersion::V2, "version 2")] {
            let columnar = || write(&path, version, (0..calls).map(|c| columns.batch(c * BATCH, &source)));
            measure(&format!("{}, bulk, {label}", name("write")), "from columns, no sync", repeats, columnar)?;
            let reader = || {
                let reader = StageReader::builder().stage("bench").open([&path])?;
                reader.keys().iter().map(|(k, _)| reader.product(k)).collect::<memh5::Result<Vec<_>>>()
            };
            measure(&format!("{}, bulk, {label}", name("read")), "whole products", repeats, reader)?;
        }
        let apart = columns.apart()?;
        let of_events = |call: usize| -> memh5::Result<Batch> {
            let mut batch = Batch::new(BATCH).with_source(&source)?;
            batch.put("index", ((call * BATCH) as i64..((call + 1) * BATCH) as i64).collect::<Vec<_>>())?;
            for (name, events) in &apart {
                let product = match *name {
                    "clusters" => Product::flat(DType::I64, None, events.iter().cloned())?,
                    _ => Product::arrays(events.iter().flatten())?,
                };
                batch.put(name, product)?;
            }
            batch.with("loss", (0..BATCH).map(|e| e as f64).collect::<Vec<_>>())
        };
        measure(&name("write"), "from an array per event, no sync", repeats, || {
            write(&path, FormatVersion::V1, (0..calls).map(of_events))
        })?;
        measure(&name("read"), "event by event, every product", repeats, || {
            let reader = StageReader::builder().stage("bench").open([&path])?;
            reader.iter().try_for_each(|event| event.map(|e| drop(black_box(e))))
        })?;
    }
    let _ = std::fs::remove_file(&path);
    Ok(())
}
