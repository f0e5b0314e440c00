//! `memh5 tree`

use crate::signs::Signs;
use crate::{Outcome, args, output, source};
use memh5::Result;
use memh5::tree::{PrintOptions, print_tree_with};

/// Draws the tree.
pub fn run(args: &args::Tree, signs: &mut Signs) -> Result<Outcome> {
    let root = source::open(&args.file)?;
    let group = source::find(&root, &args.object, &args.file)?
        .into_group()
        .map_err(|e| e.in_file(&args.file).remedy(format!("'memh5 show {} {}' shows a dataset", args.file.display(), args.object)))?;
    let options = PrintOptions::default().attrs(args.attributes).colour(output::colour()).depth(args.depth);
    let mut out = output::stdout();
    print_tree_with(&*group, &options, &mut out, &mut |bytes| signs.tick(bytes)).map_err(|e| e.in_file(&args.file))?;
    output::finish(out)?;
    Ok(Outcome::Done)
}
