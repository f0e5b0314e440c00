//! A parallel computation saves its results as they come, into every kind of saver: memory, a `.npy` file, an HDF5 file,
//! and where the feature `zarr` is on a Zarr store.
//!
//! Threads finish in any order; the interval buffer puts the results in order and saves them by the hundred, while the computation goes on.

#[cfg(feature = "zarr")]
use memh5::saver::ZarrSaver;
use memh5::saver::{Hdf5Saver, IntervalBuffer, MemSaver, NumpySaver, SaveOptions, Saver};
use memh5::{MemGroup, Result, prelude::*};
use ndarray::Array1;
use rayon::prelude::*;

const RESULTS: u64 = 1000;

/// One result: the first powers of a number.
fn compute(i: u64) -> Array1<f64> {
    (0..4).map(|k| (i as f64).powi(k)).collect()
}

/// The computation knows neither file nor format.
fn run(saver: Box<dyn Saver>) -> Result<Box<dyn Saver>> {
    let saver: std::sync::Arc<dyn Saver> = saver.into();
    let results = IntervalBuffer::new(saver.clone(), 64)?.capacity(RESULTS as usize).background()?;
    (0..RESULTS).into_par_iter().try_for_each(|i| results.push_at(i, compute(i)).map(drop))?;
    let progress = results.finish()?;
    assert_eq!((progress.saved, progress.pending), (RESULTS, 0));
    Ok(Box::new(saver))
}

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("memh5-savers-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|e| memh5::Error::io(e, &dir))?;
    let tree = MemGroup::new();
    let packed = SaveOptions::from_pairs([("compression", "gzip"), ("shuffle", "true")])?;
    let savers: Vec<Box<dyn Saver>> = vec![
        Box::new(MemSaver::new(&tree, "night/powers")),
        Box::new(NumpySaver::new(dir.join("powers.npy"))),
        Box::new(Hdf5Saver::new(dir.join("powers.h5"), "night/powers")),
        Box::new(Hdf5Saver::new(dir.join("packed.h5"), "night/powers").with_options(packed)),
        #[cfg(feature = "zarr")]
        Box::new(ZarrSaver::new(dir.join("powers.zarr"), "night/powers")),
    ];
    for saver in savers {
        let target = saver.target();
        let saved = run(saver)?.load()?;
        assert_eq!(saved.shape(), [RESULTS as usize, 4]);
        for (i, row) in saved.view::<f64>()?.outer_iter().enumerate() {
            assert_eq!(row, compute(i as u64).into_dyn(), "{target}");
        }
        println!("{target}: {RESULTS} results, in order");
    }
    assert_eq!(tree.dataset("night/powers")?.len()?, RESULTS as usize);
    std::fs::remove_dir_all(&dir).map_err(|e| memh5::Error::io(e, &dir))
}
