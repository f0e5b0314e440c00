//! Comparing stages with the numbers and checksums that were recorded when they were finalized.

use super::read::checksum_of;
use super::status::{CHECKSUMS, EVENTS, StageInfo, StageStatus, open_stage, stage_names};
use crate::array::FromArray;
use crate::error::{Error, Result, error};
use crate::tree::{Attributes, AttributesExt, Group, GroupExt};

/// What comparing a stage with its records found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageCheck {
    /// The stage.
    pub info: StageInfo,
    /// How many datasets were compared with their checksums; 0 for a stage of another program, which has none.
    pub datasets: usize,
    /// What does not agree, and what cannot be read.
    pub damages: Vec<Error>,
}

/// The stages of a cache as it describes them; nothing is compared.
///
/// # Errors
/// `Corrupt` if the stages cannot be listed.
pub fn list_stages(root: &dyn Group) -> Result<Vec<StageCheck>> {
    let names = stage_names(root)?;
    let infos = names.iter().filter_map(|name| StageInfo::read(root, name).transpose());
    infos.map(|info| Ok(StageCheck { info: info?, datasets: 0, damages: Vec::new() })).collect()
}

/// Compares every complete stage of a cache with what was recorded when it was finalized: the number of events, and a CRC-32 of the elements
/// of each dataset (of references: of the rows to which they lead). A stage without records is not compared; a group without stages has
/// none.
///
/// # Errors
/// `Corrupt` if the stages cannot be listed; what is wrong with a stage is in its result.
pub fn check_stages(root: &dyn Group) -> Result<Vec<StageCheck>> {
    check_stages_with(root, &mut |_| Ok(()))
}

/// [`check_stages`], with a function that is called for every block of elements that was read, with its bytes.
///
/// # Errors
/// As [`check_stages`], and what the function returns.
pub fn check_stages_with(root: &dyn Group, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<Vec<StageCheck>> {
    let mut out = Vec::new();
    for name in stage_names(root)? {
        let info = StageInfo::read(root, &name).and_then(|i| i.ok_or_else(|| error!(Corrupt, "the stage is listed, and not there")));
        let at = format!("/stages/{name}");
        match info {
            Ok(info) => {
                let mut check = StageCheck { info, datasets: 0, damages: Vec::new() };
                if check.info.status == StageStatus::Complete {
                    compare(root, &mut check, progress)?;
                }
                check.damages = check.damages.into_iter().map(|e| e.at(at.as_str()).during("verify the stage")).collect();
                out.push(check);
            }
            Err(e) => {
                let info = StageInfo {
                    name,
                    status: StageStatus::Incomplete,
                    events: 0,
                    products: Vec::new(),
                    attrs: Vec::new(),
                    cfg: None,
                    recorded: Vec::new(),
                };
                out.push(StageCheck { info, datasets: 0, damages: vec![e.at(at).during("verify the stage")] });
            }
        }
    }
    Ok(out)
}

/// Adds what is wrong with a stage. An error is one of the progress function.
fn compare(root: &dyn Group, check: &mut StageCheck, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    let mut stopped = None;
    let mut watched = |bytes| progress(bytes).inspect_err(|e| stopped = Some(e.clone()));
    if let Err(e) = compare_records(root, check, &mut watched) {
        check.damages.push(e);
    }
    stopped.map_or(Ok(()), Err)
}

fn compare_records(root: &dyn Group, check: &mut StageCheck, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    let Some(stage) = open_stage(root, &check.info.name)? else { return Ok(()) };
    if !stage.contains("info")? {
        return Ok(());
    }
    let info = stage.group("info")?;
    if let Some(events) = recorded::<i64>(info.attrs(), EVENTS)?
        && u64::try_from(events) != Ok(check.info.events)
    {
        check.damages.push(error!(Corrupt, "the stage has {} events, and {events} were recorded", check.info.events));
    }
    let Some(text) = recorded::<String>(info.attrs(), CHECKSUMS)? else { return Ok(()) };
    let sums: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).map_err(|e| error!(Corrupt, "the recorded checksums cannot be read").because(e))?;
    for (name, wanted) in &sums {
        check.datasets += 1;
        let at = format!("{}/{name}", stage.name());
        match checksum_of(&*stage, name, progress) {
            Ok(found) if wanted.as_str() == Some(format!("{found:08x}").as_str()) => {}
            Ok(found) => {
                check.damages.push(error!(Corrupt, "the elements have the checksum {found:08x}, and {wanted} was recorded").at(at));
            }
            Err(e) => check.damages.push(error!(Corrupt, "the elements cannot be compared with their checksum").at(at).because(e)),
        }
    }
    Ok(())
}

fn recorded<T: FromArray>(attrs: &dyn Attributes, name: &str) -> Result<Option<T>> {
    if attrs.contains(name)? { attrs.get(name).map(Some) } else { Ok(None) }
}
