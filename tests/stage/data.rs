//! Batches of every kind of product.

use memh5::stage::{Batch, Product, SourceInfo};
use memh5::{AnyArray, DType};
use ndarray::{Array1, Array2, array};
use serde::{Deserialize, Serialize};

/// As spine's class of the same name.
#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
pub struct RunInfo {
    pub run: i64,
    pub subrun: i64,
    pub event: i64,
}

/// As spine's class `Flash`, in part.
#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
pub struct Flash {
    pub id: i64,
    pub units: String,
    pub in_beam_frame: bool,
    pub time: f64,
    pub pe_per_ch: Vec<f32>,
    pub center: [f32; 3],
}

pub fn source() -> SourceInfo {
    SourceInfo::new("source.root", 123_456, 1_700_000_000_123_456_789).unwrap()
}

pub fn run_info(event: usize) -> RunInfo {
    RunInfo { run: 1, subrun: 2, event: event as i64 }
}

pub fn flash(event: usize, i: usize) -> Flash {
    Flash {
        id: i as i64,
        units: if i == 1 { "px".into() } else { "cm".into() },
        in_beam_frame: i % 2 == 1,
        time: event as f64 + 0.25,
        pe_per_ch: (0..i).map(|k| k as f32 * 0.5).collect(),
        center: [event as f32, i as f32, 0.0],
    }
}

pub fn rows(event: usize, n: usize, width: usize) -> Array2<f32> {
    Array2::from_shape_fn((n, width), |(i, j)| (event * 1000 + i * width + j) as f32)
}

pub fn numbers(event: usize, n: usize) -> Array1<i64> {
    (0..n).map(|i| (event * 100 + i) as i64).collect()
}

/// Events `first..`, one for each size, with every kind of product.
pub fn everything(first: usize, sizes: &[usize]) -> Batch {
    let events: Vec<(usize, usize)> = sizes.iter().enumerate().map(|(i, n)| (first + i, *n)).collect();
    let per = |f: &dyn Fn(usize, usize) -> Array2<f32>| events.iter().map(|(e, n)| f(*e, *n)).collect::<Vec<_>>();
    let batch = Batch::new(sizes.len()).with_source(&source()).unwrap();
    let mut batch = batch.with("index", events.iter().map(|(e, _)| *e as i64).collect::<Vec<_>>()).unwrap();
    let mut put = |name: &str, product: memh5::Result<Product>| {
        batch.put(name, product.unwrap()).unwrap();
    };
    let entries: Vec<i64> = events.iter().map(|(e, _)| *e as i64).collect();
    put("file_index", Product::scalars(vec![0i64; sizes.len()]));
    put("file_entry_index", Product::scalars(entries));
    put("loss", Product::scalar(0.125));
    put("iteration", Product::scalar(7i64));
    put("tag", Product::scalar("batch"));
    put("label", Product::scalars(events.iter().map(|(e, _)| format!("event-\u{e9}-{e}")).collect::<Vec<_>>()));
    put("score", Product::scalars(events.iter().map(|(e, _)| *e as f32 * 0.5).collect::<Vec<f32>>()));
    put("flag", Product::scalars(events.iter().map(|(e, _)| e % 2 == 0).collect::<Vec<bool>>()));
    put("tensor", Product::arrays(per(&|e, n| rows(e, n, 4))));
    put("tensor_w1", Product::arrays(per(&|e, n| rows(e, n, 1))));
    put("tensor_f64", Product::arrays(events.iter().map(|(e, n)| rows(*e, *n, 6).mapv(f64::from))));
    put("vec_i64", Product::arrays(events.iter().map(|(e, n)| numbers(*e, *n))));
    put("vec_u8", Product::arrays(events.iter().map(|(e, n)| numbers(*e, *n).mapv(|v| v as u8))));
    put("vec_bool", Product::arrays(events.iter().map(|(e, n)| numbers(*e, *n).mapv(|v| v % 3 == 0))));
    put("vec_f16", Product::arrays(events.iter().map(|(e, n)| numbers(*e, *n).mapv(|v| half(v as f32)))));
    // As many arrays as rows; the last one of each event is empty.
    let list = |e: usize, n: usize| (0..n).map(|i| if i + 1 == n { array![] } else { numbers(e, 2 * i + 1) }).collect::<Vec<_>>();
    put("clusts", Product::lists(events.iter().map(|(e, n)| list(*e, *n))));
    put("flat_2d", Product::lists(events.iter().map(|(e, n)| (0..*n).map(|i| rows(*e + i, i + 1, 3)).collect::<Vec<_>>())));
    let jagged = |e: usize, n: usize| {
        vec![any(rows(e, n, 2)), any(rows(e, n + 1, 3)), AnyArray::from(rows(e, n, 1).into_shape_with_order(n).unwrap())]
    };
    put("jagged", Product::jagged(events.iter().map(|(e, n)| jagged(*e, *n))));
    put("run_info", Product::object("RunInfo", &events.iter().map(|(e, _)| run_info(*e)).collect::<Vec<_>>()));
    let flashes: Vec<Vec<Flash>> = events.iter().map(|(e, n)| (0..*n).map(|i| flash(*e, i)).collect()).collect();
    put("flashes", flashes_of(&flashes));
    batch
}

/// Flashes, also if there is none, or none with a sequence in it.
pub fn flashes_of(lists: &[Vec<Flash>]) -> memh5::Result<Product> {
    let dtype = DType::compound([
        ("id", DType::I64),
        ("units", DType::STR),
        ("in_beam_frame", DType::Bool),
        ("time", DType::F64),
        ("pe_per_ch", DType::varseq(DType::F32)),
        ("center", DType::array(DType::F32, [3])),
    ])?;
    let all: Vec<&Flash> = lists.iter().flatten().collect();
    let lengths: Vec<usize> = lists.iter().map(Vec::len).collect();
    Product::objects_rows("Flash", AnyArray::from_rows_as(&dtype, &all)?, &lengths)
}

fn any(a: Array2<f32>) -> AnyArray {
    a.into()
}

fn half(v: f32) -> half::f16 {
    half::f16::from_f32(v)
}
