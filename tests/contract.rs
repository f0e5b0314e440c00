//! The contract of the waist, on every backend of this build.

use memh5::contract::{self, Backend, Fresh};
use memh5::{MemGroup, prelude::*};

fn hold_to(backend: &dyn Backend) {
    let only = std::env::var("MEMH5_PROMISE").unwrap_or_default();
    let report = contract::run(backend, |p| p.name.starts_with(&only));
    println!("{report}");
    assert!(report.is_kept(), "{report}");
}

#[test]
fn memory() {
    hold_to(&Fresh::new("memory", || Ok(MemGroup::new().to_ref())));
}
