//! `memh5 stages`

use crate::signs::Signs;
use crate::{Outcome, args, output, source};
use memh5::stage::{SourceInfo, StageCheck, StageStatus, check_stages_with};
use memh5::tree::{Group, visible};
use memh5::{Error, ErrorKind, Result, prelude::*};
use std::io::Write;
use std::path::Path;

/// Lists the stages of the caches.
pub fn run(args: &args::Stages, signs: &mut Signs) -> Result<Outcome> {
    let mut out = output::stdout();
    let (mut damaged, mut failed) = (false, None);
    for file in &args.files {
        match look(file, args, signs) {
            Ok((source, checks)) => {
                damaged |= checks.iter().any(|c| !c.damages.is_empty());
                print(&mut out, file, source.as_ref(), &checks, args).map_err(output::failed)?;
            }
            Err(error) => match failed {
                None => failed = Some(error),
                // One line for the first, and one here for each other.
                Some(_) => eprintln!("memh5: {}", visible(&error.during("list the stages").to_string())),
            },
        }
    }
    output::finish(out)?;
    match failed {
        Some(error) => Err(error),
        None => Ok(if damaged { Outcome::Failed } else { Outcome::Done }),
    }
}

fn look(file: &Path, args: &args::Stages, signs: &mut Signs) -> Result<(Option<SourceInfo>, Vec<StageCheck>)> {
    let root = source::open(file)?;
    if !root.contains("stages")? {
        return Err(Error::new(ErrorKind::InvalidArgument, "it has no group 'stages', and so is no cache of stages")
            .in_file(file)
            .remedy("'memh5 tree' shows what is in it"));
    }
    let found = list(&*root, args.quick, signs).map_err(|e| e.in_file(file))?;
    signs.finish();
    Ok(found)
}

fn list(root: &dyn Group, quick: bool, signs: &mut Signs) -> Result<(Option<SourceInfo>, Vec<StageCheck>)> {
    let source = SourceInfo::read(root)?;
    let checks = if quick { memh5::stage::list_stages(root)? } else { check_stages_with(root, &mut |bytes| signs.tick(bytes))? };
    Ok((source, checks))
}

fn print(
    out: &mut output::Output,
    file: &Path,
    source: Option<&SourceInfo>,
    checks: &[StageCheck],
    args: &args::Stages,
) -> std::io::Result<()> {
    match source {
        Some(s) => writeln!(out, "{}: source {}, {} bytes", file.display(), visible(&s.file_name), s.file_size)?,
        None => writeln!(out, "{}: no source is told", file.display())?,
    }
    if checks.is_empty() {
        writeln!(out, "  no stages")?;
    }
    for check in checks {
        let info = &check.info;
        let state = match (info.status, check.damages.is_empty(), check.datasets) {
            (_, false, _) => "damaged".to_owned(),
            (StageStatus::Complete, true, n) if n > 0 => format!("complete and valid: {n} checksums agree"),
            (StageStatus::Complete, true, _) if args.quick => "complete".to_owned(),
            (StageStatus::Complete, true, _) => "complete, without checksums".to_owned(),
            (status, true, _) => status.to_string(),
        };
        writeln!(out, "  {}: {} events, {} products, {state}", visible(&info.name), info.events, info.products.len())?;
        for damage in &check.damages {
            writeln!(out, "    {}", visible(&damage.to_string()))?;
        }
        if args.attributes {
            writeln!(out, "    products: {}", visible(&info.products.join(", ")))?;
            for (name, value) in info.attrs.iter().chain(&info.recorded) {
                writeln!(out, "    @{}: {}", visible(name), visible(&value.to_string()))?;
            }
            for line in info.cfg.iter().flat_map(|text| text.lines()) {
                writeln!(out, "    | {}", visible(line))?;
            }
        }
    }
    Ok(())
}
