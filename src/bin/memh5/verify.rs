//! `memh5 verify`

use crate::signs::Signs;
use crate::{Outcome, args, output, source};
use memh5::stage::check_stages_with;
use memh5::tree::{Damage, VerifyReport, verify_with, visible};
use memh5::{Error, ErrorKind, Result};
use std::io::Write;

/// Reads everything in the files.
pub fn run(args: &args::Verify, signs: &mut Signs) -> Result<Outcome> {
    let mut out = output::stdout();
    let (mut damaged, mut failed) = (false, None);
    for file in &args.files {
        match verify(file, signs) {
            Ok(report) => {
                damaged |= !report.is_whole();
                print(&mut out, file, &report, args.quiet).map_err(output::failed)?;
            }
            Err(error) => match failed {
                None => failed = Some(error),
                // One line for the first, and one here for each other.
                Some(_) => eprintln!("memh5: {}", visible(&error.during("verify the file").to_string())),
            },
        }
    }
    output::finish(out)?;
    match failed {
        Some(error) => Err(error),
        None => Ok(if damaged { Outcome::Failed } else { Outcome::Done }),
    }
}

fn verify(file: &std::path::Path, signs: &mut Signs) -> Result<VerifyReport> {
    let root = source::open(file)?;
    signs.expect(&root)?;
    let mut report = verify_with(&*root, &mut |bytes| signs.tick(bytes)).map_err(|e| e.in_file(file))?;
    // What cannot be read is told already; a stage that can be read may still not be what was finalized.
    if report.is_whole() {
        for check in check_stages_with(&*root, &mut |_| signs.tick(0)).map_err(|e| e.in_file(file))? {
            let path = |e: &Error| e.path().unwrap_or("/stages").to_owned();
            report.damages.extend(check.damages.into_iter().map(|error| Damage::new(path(&error), error)));
        }
    }
    signs.finish();
    if report.objects == 0 {
        return Err(Error::new(ErrorKind::Corrupt, "not even the root group can be read").in_file(file));
    }
    Ok(report)
}

fn print(out: &mut output::Output, file: &std::path::Path, report: &VerifyReport, quiet: bool) -> std::io::Result<()> {
    let name = file.display();
    for damage in &report.damages {
        writeln!(out, "{name}: {}", visible(&damage.to_string()))?;
    }
    if report.is_whole() && !quiet {
        writeln!(
            out,
            "{name}: whole: {} objects, {} attributes, {} references, {} bytes of elements",
            report.objects, report.attributes, report.references, report.bytes
        )?;
        if report.dangling_links > 0 {
            writeln!(out, "{name}: {} soft or external links lead nowhere, which is no damage", report.dangling_links)?;
        }
    } else if !report.is_whole() && report.damages.iter().all(|d| d.error.kind() == ErrorKind::Unsupported) {
        writeln!(out, "{name}: not verified: {} objects or attributes need what this build does not have", report.damages.len())?;
    } else if !report.is_whole() {
        writeln!(out, "{name}: damaged: {} of {} objects and attributes", report.damages.len(), report.objects + report.attributes)?;
    }
    Ok(())
}
