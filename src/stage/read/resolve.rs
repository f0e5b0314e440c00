//! Which stage a product is read from.

use super::super::batch::{FILE_ENTRY_INDEX, FILE_INDEX, INDEX, SOURCE_FILE_ENTRY_INDEX, SOURCE_FILE_INDEX};
use crate::error::{Result, error};
use std::collections::BTreeMap;

/// Products that every stage has; they say which event it is.
const BOOKKEEPING: [&str; 5] = [INDEX, FILE_INDEX, FILE_ENTRY_INDEX, SOURCE_FILE_INDEX, SOURCE_FILE_ENTRY_INDEX];

/// What a reader asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub stage: Option<String>,
    pub stage_map: BTreeMap<String, String>,
    pub keys: Option<Vec<String>>,
    /// Leaves out the fields of objects that have no fixed size: they are not even read.
    pub fixed_only: bool,
}

impl Wanted {
    /// The stage of each product, by the rules of spine: the map, else the given stage, else the only stage that has it.
    ///
    /// Beyond spine, what every stage has is no conflict while it was not asked for: it is taken from the first stage.
    pub fn resolve(&self, stages: &[(String, Vec<String>)]) -> Result<BTreeMap<String, String>> {
        let has = |stage: &str, key: &str| stages.iter().any(|(n, keys)| n == stage && keys.iter().any(|k| k == key));
        let names = || stages.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
        if let Some(stage) = self.stage.iter().chain(self.stage_map.values()).find(|s| !stages.iter().any(|(n, _)| n == *s)) {
            return Err(error!(NotFound, "there is no stage '{stage}'").remedy(format!("the stages are: {}", names())));
        }
        let of_stage = |stage: &String| stages.iter().find(|(n, _)| n == stage).map(|(_, k)| k.clone()).unwrap_or_default();
        let wanted: Vec<String> = match (&self.keys, &self.stage) {
            (Some(keys), _) => keys.clone(),
            (None, Some(stage)) if self.stage_map.is_empty() => of_stage(stage),
            // A key of another stage, that the given one lacks, was not asked for.
            (None, Some(stage)) => of_stage(stage).into_iter().chain(self.stage_map.keys().cloned()).collect(),
            (None, None) => stages.iter().flat_map(|(_, k)| k.iter().cloned()).collect(),
        };
        let mut out = BTreeMap::new();
        for key in wanted {
            let stage = match (self.stage_map.get(&key), &self.stage) {
                (Some(stage), _) | (None, Some(stage)) => {
                    if !has(stage, &key) {
                        return Err(error!(NotFound, "the product '{key}' does not exist in stage '{stage}'")
                            .remedy(format!("its products are: {}", of_stage(stage).join(", "))));
                    }
                    stage.clone()
                }
                (None, None) => {
                    let holders: Vec<&String> = stages.iter().filter(|(_, k)| k.contains(&key)).map(|(n, _)| n).collect();
                    match holders[..] {
                        [] => {
                            return Err(error!(NotFound, "could not find the requested product '{key}' in any stage")
                                .remedy(format!("the stages are: {}", names())));
                        }
                        [only] => only.clone(),
                        [first, ..] if self.keys.is_none() && BOOKKEEPING.contains(&key.as_str()) => first.clone(),
                        _ => {
                            let holders: Vec<&str> = holders.iter().map(|s| s.as_str()).collect();
                            return Err(error!(InvalidArgument, "the product '{key}' appears in multiple stages: {}", holders.join(", "))
                                .remedy("give a stage, or say in stage_map which one is meant"));
                        }
                    }
                }
            };
            out.insert(key, stage);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|s| (*s).to_owned()).collect()
    }

    fn resolve(stage: Option<&str>, map: &[(&str, &str)], keys: Option<&[&str]>) -> Result<Vec<(String, String)>> {
        let stages = [("a".to_owned(), strings(&["index", "x", "both"])), ("b".to_owned(), strings(&["index", "y", "both"]))];
        let wanted = Wanted {
            stage: stage.map(str::to_owned),
            stage_map: map.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            keys: keys.map(strings),
            fixed_only: false,
        };
        wanted.resolve(&stages).map(|m| m.into_iter().collect())
    }

    fn pairs(p: &[(&str, &str)]) -> Vec<(String, String)> {
        p.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn the_rules_of_spine() {
        assert_eq!(resolve(Some("a"), &[], None).unwrap(), pairs(&[("both", "a"), ("index", "a"), ("x", "a")]));
        assert_eq!(resolve(None, &[], Some(&["x", "y"])).unwrap(), pairs(&[("x", "a"), ("y", "b")]));
        assert_eq!(resolve(None, &[("both", "b")], Some(&["both"])).unwrap(), pairs(&[("both", "b")]));
        assert_eq!(resolve(Some("a"), &[("y", "b")], None).unwrap(), pairs(&[("both", "a"), ("index", "a"), ("x", "a"), ("y", "b")]));
        for (bad, kind) in [
            (resolve(Some("c"), &[], None), ErrorKind::NotFound),
            (resolve(Some("a"), &[], Some(&["y"])), ErrorKind::NotFound),
            (resolve(None, &[("y", "a")], Some(&["y"])), ErrorKind::NotFound),
            (resolve(None, &[], Some(&["z"])), ErrorKind::NotFound),
            (resolve(None, &[], Some(&["both"])), ErrorKind::InvalidArgument),
            (resolve(None, &[], Some(&["index"])), ErrorKind::InvalidArgument),
            (resolve(None, &[], None), ErrorKind::InvalidArgument),
        ] {
            assert_eq!(bad.unwrap_err().kind(), kind);
        }
        assert_eq!(resolve(None, &[("both", "a")], None).unwrap(), pairs(&[("both", "a"), ("index", "a"), ("x", "a"), ("y", "b")]));
    }
}
