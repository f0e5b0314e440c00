//! `memh5 dump`

use crate::signs::Signs;
use crate::{Outcome, args, output, source};
use memh5::Result;
use memh5::tree::{DumpOptions, dump_with};

/// Prints the file as JSON Lines.
pub fn run(args: &args::Dump, signs: &mut Signs) -> Result<Outcome> {
    let mut root = source::open(&args.file)?;
    if args.via_memory {
        root = source::in_memory(&root, signs)?;
    }
    signs.expect(&root)?;
    let mut out = output::stdout();
    dump_with(&*root, &DumpOptions::default().layout(args.layout), &mut out, &mut |bytes| signs.tick(bytes))
        .map_err(|e| e.in_file(&args.file))?;
    output::finish(out)?;
    Ok(Outcome::Done)
}
