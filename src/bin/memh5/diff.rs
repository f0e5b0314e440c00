//! `memh5 diff`

use crate::signs::Signs;
use crate::{Outcome, args, output, source};
use memh5::Result;
use memh5::tree::{DiffOptions, diff_with, visible};
use std::io::Write;

/// Compares two files.
pub fn run(args: &args::Diff, signs: &mut Signs) -> Result<Outcome> {
    let (a, b) = (source::open(&args.a)?, source::open(&args.b)?);
    signs.expect(&a)?;
    signs.expect(&b)?;
    let options = DiffOptions::default().tolerance(args.rtol, args.atol).max(args.max).attrs(!args.no_attributes).layout(args.layout);
    let report = diff_with(&*a, &*b, &options, &mut |bytes| signs.tick(bytes))?;
    signs.finish();
    if !args.quiet && !report.is_equal() {
        let mut out = output::stdout();
        for difference in &report.differences {
            writeln!(out, "{}", visible(&difference.to_string())).map_err(output::failed)?;
        }
        let more = report.count - report.differences.len() as u64;
        if more > 0 {
            let and = if report.differences.is_empty() { "" } else { "and " };
            writeln!(out, "{and}{more} {}", if more == 1 { "difference more" } else { "differences more" }).map_err(output::failed)?;
        }
        output::finish(out)?;
    }
    Ok(if report.is_equal() { Outcome::Done } else { Outcome::Failed })
}
