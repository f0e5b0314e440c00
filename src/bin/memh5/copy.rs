//! `memh5 copy`

use crate::signs::Signs;
use crate::transfer::Plan;
use crate::{Outcome, args, ranks, source};
use memh5::Result;
use memh5::tree::visible;

/// Copies a file.
pub fn run(args: &args::Copy, signs: &mut Signs) -> Result<Outcome> {
    if !args.distributed.is_empty() {
        return ranks::run(args);
    }
    let plan = Plan::new(&args.storage, &args.select)?;
    let mut root = source::open(&args.source)?;
    if args.via_memory {
        root = source::in_memory(&root, signs)?;
    }
    let report = plan.publish(&root, &args.target, args.overwrite, signs).map_err(|e| e.in_file(&args.source))?;
    signs.finish();
    for note in &report.lost {
        eprintln!("memh5: not copied as it was: {}", visible(&note.to_string()));
    }
    Ok(Outcome::Done)
}
