//! Written once against a group; run in memory, in an HDF5 file, and in a group of either.
//!
//! Run with `cargo run --example tree`.
use memh5::{DType, Filter, MemDiskGroup, MemGroup, Result, prelude::*};
use ndarray::{Array1, s};

/// A night of observation: appends spectra as they come, keeps their calibration beside them.
fn observe(night: &dyn Group, spectra: usize) -> Result<()> {
    night.attrs().set("telescope", "DRAO")?;
    let vis = night
        .create_dataset("raw/vis")
        .shape([0, 8])
        .maxshape([None, Some(8)])
        .dtype(DType::F32)
        .chunks([64, 8])
        .filters([Filter::Shuffle, Filter::Gzip(1)])
        .create()?;
    vis.attrs().set("axis", ["time", "freq"])?;
    for t in 0..spectra {
        vis.append(Array1::<f32>::from_elem(8, t as f32))?;
    }
    night.create_dataset("gain").write(Array1::<f64>::linspace(1.0, 2.0, 8))?;
    night.link_soft("raw/vis", "latest")
}

/// The mean spectrum, calibrated. Does not know where the data are.
fn calibrated_mean(night: &dyn Group) -> Result<Array1<f64>> {
    let vis = night.dataset("latest")?.read_as::<f64>(memh5::Cast::Safe)?;
    let gain = night.dataset("gain")?.read::<f64>()?;
    let sum = vis.sum_axis(ndarray::Axis(0)) / vis.shape()[0] as f64;
    Ok((sum / gain).into_dimensionality().expect("one axis is left"))
}

fn main() -> Result<()> {
    let path = std::env::temp_dir().join(format!("memh5-tree-{}.h5", std::process::id()));
    let memory = MemGroup::new();
    let disk = MemDiskGroup::create(&path)?;
    let places: [(&str, &dyn Group); 3] =
        [("memory", &memory), ("a group in memory", &memory.create_group("archive/night1")?), ("an HDF5 file", &disk)];

    for (name, night) in places {
        observe(night, 100)?;
        let mean = calibrated_mean(night)?;
        assert!((mean[0] - 49.5).abs() < 1e-9 && (mean[7] - 24.75).abs() < 1e-9);
        // A part of it, the same on every backend: the last two spectra, every other channel.
        let part: ndarray::ArrayD<f32> = night.dataset("raw/vis")?.read_slice((-2.., memh5::selection::Item::step(.., 2)))?;
        assert_eq!(part.slice(s![.., 0]), Array1::from(vec![98.0, 99.0]));
        println!("{name}: mean of the first channel {:.2}, {} objects", mean[0], night.len()?);
    }
    disk.close()?;

    // The file holds what the memory holds.
    let stored = MemGroup::from_file(&path)?;
    assert_eq!(stored.dataset("raw/vis")?.read_array()?, memory.dataset("raw/vis")?.read_array()?);
    std::fs::remove_file(&path).map_err(|e| memh5::Error::io(e, &path))
}
