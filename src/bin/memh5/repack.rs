//! `memh5 repack`

use crate::signs::Signs;
use crate::transfer::Plan;
use crate::{Outcome, args, output, source};
use memh5::tree::visible;
use memh5::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Rewrites a file.
pub fn run(args: &args::Repack, signs: &mut Signs) -> Result<Outcome> {
    let plan = Plan::new(&args.storage, &[])?;
    let root = source::open(&args.file)?;
    let before = size(&args.file)?;
    let report = plan.publish(&root, &args.file, true, signs).map_err(|e| e.in_file(&args.file))?;
    signs.finish();
    for note in &report.lost {
        eprintln!("memh5: not kept as it was: {}", visible(&note.to_string()));
    }
    let after = size(&args.file)?;
    let mut out = output::stdout();
    let percent = if before == 0 { 100.0 } else { 100.0 * after as f64 / before as f64 };
    writeln!(out, "{}: {before} bytes before, {after} bytes after ({percent:.0} %)", args.file.display()).map_err(output::failed)?;
    output::finish(out)?;
    Ok(Outcome::Done)
}

fn size(path: &Path) -> Result<u64> {
    source::size(path).map_err(|e| Error::io(e, path))
}
