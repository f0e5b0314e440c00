//! Elements that ranks move to and from their places in an HDF5 file by themselves, and through the library.

use super::files::{Sample, Scratch, on_first, pattern, round_trip};
use memh5::copy::DeepCopy;
use memh5::distributed::{CommRef, FileAccess, Hints};
use memh5::{AnyArray, DType, Mode, Result, Selection, format, prelude::*};

crate::cases![long_and_short_runs, what_others_wrote_is_read_in_place_or_not];

/// Runs of the file that are long, and such that ranks exchange rows or chunks rather than write them; lengths that are no multiples of pages.
fn long_and_short_runs(comm: &CommRef) -> Result<()> {
    let mut datasets = Vec::new();
    for (k, (shape, chunks)) in [
        (vec![90, 3001], None),
        (vec![90, 3001], Some(vec![32, 1024])),
        (vec![90, 3001], Some(vec![90, 700])),
        (vec![1, 260_000], None),
        (vec![5, 90, 600], Some(vec![5, 64, 512])),
        (vec![270_001], Some(vec![65_536])),
    ]
    .into_iter()
    .enumerate()
    {
        let whole = pattern(&DType::F64, &shape);
        for axis in 0..shape.len() {
            datasets.push(Sample { chunks: chunks.clone(), ..Sample::new(&format!("r{k}a{axis}"), whole.clone(), axis) });
        }
    }
    round_trip(comm, &datasets)
}

/// Files of one process: elements without a place in the file, with some places only, with all of them, and parts of them.
fn what_others_wrote_is_read_in_place_or_not(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("alone.h5");
    let whole = pattern(&DType::I32, &[40, 50]);
    let chunked = [("whole", true), ("holes", false)];
    on_first(comm, || {
        let file = format::open(&path, Mode::CreateNew).unwrap();
        file.create_dataset("contiguous").write(whole.clone()).unwrap();
        file.create_dataset("nothing").shape([40, 50]).dtype(DType::I32).fill_value(7).create().unwrap();
        for (name, all) in chunked {
            let dataset = file.create_dataset(name).shape([40, 50]).dtype(DType::I32).chunks([16, 20]).fill_value(7).create().unwrap();
            let rows = if all { 0..40 } else { 0..16 };
            dataset.write_slice((rows.clone(), ..), whole.select((rows, ..)).unwrap()).unwrap();
        }
        file.close_tree().unwrap();
    })?;
    let seven = AnyArray::full(DType::I32, [40, 50], &AnyArray::from(7)).unwrap();
    let mut holes = seven.clone();
    holes.assign((0..16, ..), &whole.select((0..16, ..)).unwrap()).unwrap();
    let all = [("contiguous", &whole), ("nothing", &seven), ("whole", &whole), ("holes", &holes)];
    for access in [FileAccess::Auto, FileAccess::Library] {
        for axis in 0..2 {
            let hints = all.iter().fold(Hints::new(), |hints, (name, _)| hints.distribute(*name, axis as isize));
            let (tree, _) = DeepCopy::new().hints(hints.clone()).file_access(access).load_distributed(&path, comm)?;
            for (name, wanted) in all {
                Sample::new(name, wanted.clone(), axis).check(&tree, comm)?;
            }
            for part in ["3:37,7:", "::3,5:6", "39:2:-1,1:49:2", "1:2,:"] {
                let part: Selection = part.parse().unwrap();
                let mut options = DeepCopy::new().hints(hints.clone()).file_access(access);
                for (name, _) in all {
                    options = options.select(name, part.clone());
                }
                let (tree, _) = options.load_distributed(&path, comm)?;
                for (name, wanted) in all {
                    Sample::new(name, wanted.select(part.clone()).unwrap(), axis).check(&tree, comm)?;
                }
            }
        }
    }
    Ok(())
}
