//! Every kind of saver, fresh.

use memh5::MemGroup;
use memh5::saver::*;
use std::path::Path;

/// A kind of target, and a saver to a fresh one below a directory.
pub struct Target {
    pub name: &'static str,
    pub saver: Box<dyn Saver>,
    /// Another saver to the same place.
    pub again: Box<dyn Fn(SaveOptions) -> Box<dyn Saver>>,
    pub chunked: bool,
}

fn target<S: Saver + 'static>(name: &'static str, chunked: bool, make: impl Fn(SaveOptions) -> S + 'static) -> Target {
    Target { name, chunked, saver: Box::new(make(SaveOptions::new())), again: Box::new(move |o| Box::new(make(o))) }
}

pub fn all(dir: &Path) -> Vec<Target> {
    let group = MemGroup::new();
    let npy = dir.join("file without suffix");
    #[cfg_attr(not(any(feature = "hdf5", feature = "zarr")), allow(unused_mut))]
    let mut targets = vec![
        target("memory", true, move |o| MemSaver::new(&group, "a/b").with_options(o)),
        target("npy", false, move |o| NumpySaver::new(&npy).with_options(o)),
    ];
    #[cfg(feature = "hdf5")]
    {
        let h5 = dir.join("file.h5");
        targets.push(target("hdf5", true, move |o| Hdf5Saver::new(&h5, "a/b").with_options(o)));
    }
    #[cfg(feature = "zarr")]
    {
        let store = dir.join("store.zarr");
        targets.push(target("zarr", true, move |o| ZarrSaver::new(&store, "a/b").with_options(o)));
    }
    targets
}

/// Runs a check on every kind of target, each in a directory of its own.
pub fn each(check: impl Fn(&Target)) {
    let count = all(tempfile::tempdir().unwrap().path()).len();
    for k in 0..count {
        let dir = tempfile::tempdir().unwrap();
        let target = all(dir.path()).swap_remove(k);
        println!("{}", target.name);
        check(&target);
        drop(target);
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(left.iter().all(|n| !n.to_string_lossy().starts_with('.')), "left behind: {left:?}");
    }
}
