//! How fast is the tree in memory? Make, look up, list and delete 10^5 datasets and attributes; append under a live snapshot.
//!
//! One line per question: its name, the seconds (median), a note. `peers/memory_tree.py` prints the same questions for h5py's core
//! driver and for a plain dict of numpy arrays.

use memh5::{MemGroup, prelude::*};
use std::hint::black_box;
use std::time::{Duration, Instant};

const N: usize = 100_000;
const REPEATS: usize = 7;

/// Prints the median of several runs; what the preparation makes is dropped outside of the measured time.
fn measure<T, R>(question: &str, note: &str, mut prepare: impl FnMut() -> T, mut work: impl FnMut(&mut T) -> R) {
    let mut times: Vec<Duration> = (0..REPEATS)
        .map(|_| {
            let mut state = prepare();
            let start = Instant::now();
            let result = work(&mut state);
            let time = start.elapsed();
            drop((black_box(result), state));
            time
        })
        .collect();
    times.sort_unstable();
    println!("{question}\t{:.6}\t{note}", times[REPEATS / 2].as_secs_f64());
}

/// Names in an order that no table knows: a fixed shuffle.
fn names() -> Vec<String> {
    let mut names: Vec<String> = (0..N).map(|i| format!("dataset{i:06}")).collect();
    let mut state = 1u64;
    for i in (1..N).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        names.swap(i, (state >> 33) as usize % (i + 1));
    }
    names
}

fn filled(names: &[String]) -> MemGroup {
    let root = MemGroup::new();
    for name in names {
        root.create_dataset(name).write(vec![1.0f64; 8]).expect("a new dataset");
    }
    root
}

fn with_attributes(names: &[String]) -> MemGroup {
    let root = MemGroup::new();
    for (i, name) in names.iter().enumerate() {
        root.attrs().set(name, i as i64).expect("a new attribute");
    }
    root
}

fn appended(count: usize) -> impl FnMut(&mut MemGroup) -> usize {
    move |root| {
        let log = root.create_dataset("log").shape([0, 16]).maxshape([None, Some(16)]).create().expect("a new dataset");
        let row = ndarray::Array1::<f64>::ones(16);
        let mut snapshot = log.read_array().expect("a snapshot");
        for _ in 0..count {
            log.append(&row).expect("an append");
            snapshot = log.read_array().expect("a snapshot");
        }
        snapshot.len()
    }
}

fn main() {
    let names = names();
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();

    measure("create_100k_datasets", "8 float64 each", MemGroup::new, |root| {
        for name in &keys {
            root.create_dataset(name).write(vec![1.0f64; 8]).expect("a new dataset");
        }
    });
    let root = filled(&names);
    let look_up = |root: &mut MemGroup| {
        for name in &keys {
            black_box(root.dataset(name).expect("the dataset"));
        }
    };
    measure("lookup_100k_datasets", "in random order", || root.clone(), look_up);
    measure("lookup_100k_against_dict", "the same, beside a dict of numpy arrays", || root.clone(), look_up);
    measure(
        "lookup_100k_through_trait",
        "the same through &dyn Group",
        || root.to_ref(),
        |root| {
            for name in &keys {
                black_box(root.dataset(name).expect("the dataset"));
            }
        },
    );
    measure("iterate_100k_names", "", || root.clone(), |root| root.keys().expect("the names").len());
    measure(
        "iterate_100k_datasets",
        "each opened and asked for its shape",
        || root.clone(),
        |root| {
            let items = root.items().expect("the datasets");
            items.into_iter().map(|(_, node)| node.into_dataset().expect("a dataset").shape().expect("its shape")[0]).sum::<usize>()
        },
    );
    measure(
        "read_100k_datasets",
        "looked up and read",
        || root.clone(),
        |root| keys.iter().map(|name| root.dataset(name).expect("the dataset").read_array().expect("its elements").len()).sum::<usize>(),
    );
    measure(
        "delete_100k_datasets",
        "in random order",
        || filled(&names),
        |root| {
            for name in &keys {
                root.delete(name).expect("the dataset");
            }
        },
    );
    measure("set_100k_attributes", "one int64 each", MemGroup::new, |root| {
        for (i, name) in keys.iter().enumerate() {
            root.attrs().set(name, i as i64).expect("a new attribute");
        }
    });
    let root = with_attributes(&names);
    measure(
        "get_100k_attributes",
        "in random order",
        || root.clone(),
        |root| keys.iter().map(|name| root.attrs().get::<i64>(name).expect("the attribute")).sum::<i64>(),
    );
    measure("iterate_100k_attributes", "names and values", || root.clone(), |root| root.attrs().items().expect("the attributes").len());
    measure("append_10k_under_snapshot", "rows of 16 float64, a snapshot after each", MemGroup::new, appended(10_000));
    measure("append_100k_under_snapshot", "ten times as many rows", MemGroup::new, appended(100_000));
    measure("deep_copy_100k_datasets", "copy on write", || filled(&names), |root| root.copy().expect("a copy"));
}
