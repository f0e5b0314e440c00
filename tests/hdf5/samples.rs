//! Files that other programs wrote.

use memh5::prelude::*;
use memh5::tree::Node;
use memh5::{AnyArray, Mode, Result};
use std::path::{Path, PathBuf};

fn samples() -> Option<PathBuf> {
    let dir = std::env::var_os("MEMH5_SAMPLES").map_or_else(|| PathBuf::from("../shared/samples"), PathBuf::from);
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: there are no samples at {} (MEMH5_SAMPLES)", dir.display());
    None
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "h5" || e == "hdf5") {
            out.push(path);
        }
    }
}

fn copy_attributes(from: &Node, to: &dyn memh5::tree::Attributes) -> Result<usize> {
    let items = from.attrs().items()?;
    for (name, value) in &items {
        if !value.dtype().has_references() {
            to.set(name, value)?;
            let back = to.get_array(name)?.unwrap();
            assert_eq!((back.dtype(), back.extent(), &back), (value.dtype(), value.extent(), value), "{name}");
        }
    }
    Ok(items.len())
}

#[test]
fn samples_are_read_and_written_back_with_equal_types() {
    let Some(dir) = samples() else { return };
    let mut all = Vec::new();
    files(&dir, &mut all);
    assert!(all.len() >= 10, "{all:?}");
    for path in all {
        let root = match memh5::format::open(&path, Mode::Read) {
            Ok(root) => root,
            Err(e) => panic!("{}: {e}", path.display()),
        };
        let copy = super::memory();
        let mut count = copy_attributes(&Node::Group(root.clone()), copy.attrs()).unwrap();
        root.visit(|name, node| -> Result<Option<()>> {
            count += 1;
            match node {
                Node::Group(group) => {
                    let made = copy.create_group_with(name, &group.group_spec()?)?;
                    assert_eq!(made.group_spec()?, group.group_spec()?);
                    count += copy_attributes(node, made.attrs())?;
                }
                Node::Dataset(dataset) => {
                    let spec = dataset.spec()?;
                    let data: Option<AnyArray> = if dataset.extent()?.is_some() { Some(dataset.read_array()?) } else { None };
                    if spec.dtype.has_references() {
                        return Ok(None);
                    }
                    let builder = copy.create_dataset(name).spec(&spec);
                    let made = match &data {
                        Some(data) => builder.write(data)?,
                        None => builder.create()?,
                    };
                    assert_eq!(made.dtype()?, spec.dtype, "{name}");
                    let new = made.spec()?;
                    assert_eq!((&new.layout, &new.maxshape, &new.filters), (&spec.layout, &spec.maxshape, &spec.filters), "{name}");
                    assert_eq!(format!("{:?}", new.fill), format!("{:?}", spec.fill), "{name}");
                    if let Some(data) = data {
                        assert_eq!(made.read_array()?, data, "{name}");
                    }
                    count += copy_attributes(node, made.attrs())?;
                }
                Node::Datatype(t) => {
                    assert_eq!(copy.commit_datatype(name, &t.committed_dtype()?)?.committed_dtype()?, t.committed_dtype()?);
                }
                _ => {}
            }
            Ok(None)
        })
        .map_or_else(
            |e| match e.kind() {
                // Made for a later HDF5 than this one.
                memh5::ErrorKind::Unsupported if e.message().contains("bad version") => eprintln!("SKIPPED: {}: {e}", path.display()),
                _ => panic!("{}: {e}", path.display()),
            },
            drop,
        );
        println!("{}: {count} objects and attributes", path.display());
        assert!(count > 0, "{}", path.display());
    }
}
