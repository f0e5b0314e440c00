//! What a copied dataset is to be: the spec of the source after selections and overrides.

use super::options::Override;
use super::pattern;
use crate::error::{Result, bail};
use crate::selection::{AxisSelection, Resolved, Selection};
use crate::tree::{DatasetSpec, Feature, Filter, Group, Layout};

/// Makes a spec that of the selected part.
pub(super) fn select(spec: &mut DatasetSpec, selection: &Selection) -> Result<()> {
    let Some(shape) = spec.shape.clone() else { bail!(Selection, "a null dataset has no elements to select") };
    let resolved = selection.resolve(&shape)?;
    let kept: Vec<Option<usize>> = match &resolved {
        // For each axis that is left, the axis of the source.
        Resolved::Axes(axes) => (0..axes.len()).filter(|k| !axes[*k].is_dropped()).map(Some).collect(),
        Resolved::Points { .. } => vec![None],
    };
    let full =
        |axis: usize| matches!(&resolved, Resolved::Axes(axes) if axes.get(axis).is_some_and(|a: &AxisSelection| a.is_full(shape[axis])));
    let new = resolved.shape();
    if let Some(max) = &spec.maxshape {
        let max: Vec<Option<usize>> = kept
            .iter()
            .zip(&new)
            .map(|(axis, n)| axis.filter(|k| full(*k)).map_or(Some(*n), |k| max.get(k).copied().unwrap_or(Some(*n))))
            .collect();
        let grows = max.iter().zip(&new).any(|(m, n)| *m != Some(*n));
        spec.maxshape = grows.then_some(max);
    }
    spec.layout = match &spec.layout {
        Layout::Chunked(chunks) if matches!(resolved, Resolved::Axes(_)) => {
            Layout::Chunked(kept.iter().map(|axis| axis.and_then(|k| chunks.get(k).copied()).unwrap_or(1)).collect())
        }
        Layout::Chunked(_) => Layout::AutoChunked,
        other => other.clone(),
    };
    spec.shape = Some(new);
    settle(spec);
    Ok(())
}

/// Applies the overrides that match; what could not be applied comes back as a line for the report.
pub(super) fn override_layout(spec: &mut DatasetSpec, path: &str, overrides: &[(String, Override)]) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for (pattern, change) in overrides.iter().filter(|(p, _)| pattern::matches(p, path)) {
        let Some(rank) = spec.shape.as_ref().map(Vec::len).filter(|r| *r > 0) else { continue };
        match change {
            Override::Filters(filters) => {
                spec.filters.clone_from(filters);
                if !filters.is_empty() && matches!(spec.layout, Layout::Contiguous | Layout::Compact) {
                    spec.layout = Layout::Auto;
                }
            }
            Override::Layout(Layout::Chunked(chunks)) if chunks.len() != rank => {
                if !pattern::is_wild(pattern) {
                    bail!(Shape, "chunks of {} axes do not fit the {rank} of the dataset", chunks.len());
                }
                notes.push(format!("chunks of {} axes do not fit its {rank}; it keeps its layout", chunks.len()));
            }
            Override::Layout(layout) => {
                spec.layout = layout.clone();
                if matches!(layout, Layout::Contiguous | Layout::Compact) {
                    spec.filters.clear();
                    if spec.needs_chunks() {
                        notes.push("a dataset that is not in chunks cannot grow; its maxshape is dropped".into());
                    }
                    spec.maxshape = None;
                }
            }
        }
    }
    settle(spec);
    Ok(notes)
}

/// Drops filters that the destination lacks; comes back with lines for the report.
pub(super) fn known_filters(spec: &mut DatasetSpec, to: &dyn Group) -> Vec<String> {
    let lacks = |filter: &Filter| to.lacks(&Feature::Filter(filter));
    if spec.filters.iter().all(|f| lacks(f).is_none()) {
        return Vec::new();
    }
    let (mut kept, mut notes) = (Vec::new(), Vec::new());
    for filter in &spec.filters {
        match lacks(filter) {
            None => kept.push(filter.clone()),
            Some(why) => notes.push(format!("{why}; it is left out")),
        }
    }
    spec.filters = kept;
    notes
}

/// Clips chunks to the axes, and drops chunks and filters where there is nothing to chunk.
fn settle(spec: &mut DatasetSpec) {
    let Some(shape) = &spec.shape else { return };
    if shape.is_empty() {
        spec.filters.clear();
        if matches!(spec.layout, Layout::Chunked(_) | Layout::AutoChunked) {
            spec.layout = Layout::Auto;
        }
        return;
    }
    let limit = |axis: usize| match &spec.maxshape {
        Some(max) => max.get(axis).copied().flatten(),
        None => shape.get(axis).copied(),
    };
    if let Layout::Chunked(chunks) = &spec.layout {
        // An axis that is empty for good may have chunks of any length.
        let clipped = chunks.iter().enumerate().map(|(axis, c)| limit(axis).filter(|n| *n > 0).map_or(*c, |n| (*c).min(n))).collect();
        spec.layout = Layout::Chunked(clipped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    fn spec() -> DatasetSpec {
        let mut spec = DatasetSpec::new(DType::F64, [10, 20, 30]);
        spec.maxshape = Some(vec![None, Some(20), Some(60)]);
        spec.layout = Layout::Chunked(vec![4, 5, 6]);
        spec.filters = vec![Filter::Gzip(1)];
        spec
    }

    #[test]
    fn a_selection_clips_chunks_and_maxshape() {
        let mut s = spec();
        select(&mut s, &(0..3, 1, ..).into()).unwrap();
        assert_eq!((s.shape.clone(), s.maxshape.clone()), (Some(vec![3, 30]), Some(vec![Some(3), Some(60)])));
        assert_eq!(s.layout, Layout::Chunked(vec![3, 6]));
        s.validate().unwrap();
        let mut s = spec();
        select(&mut s, &(0..3, 0..2, 0..5).into()).unwrap();
        assert_eq!((s.maxshape.clone(), &s.layout), (None, &Layout::Chunked(vec![3, 2, 5])));
        s.validate().unwrap();
        let mut s = spec();
        select(&mut s, &"1, 2, 3".parse().unwrap()).unwrap();
        assert!(s.filters.is_empty() && s.layout == Layout::Auto, "{s:?}");
        for text in ["1, 2, 3", "0:0", "1, [], 2"] {
            let mut s = spec();
            select(&mut s, &text.parse().unwrap()).unwrap();
            s.validate().unwrap();
        }
    }

    #[test]
    fn patterns_change_layout_and_filters() {
        let rule = |l| ("**".to_owned(), Override::Layout(l));
        let mut s = spec();
        assert!(override_layout(&mut s, "a", &[rule(Layout::Chunked(vec![100, 100, 100]))]).unwrap().is_empty());
        assert_eq!(s.layout, Layout::Chunked(vec![100, 20, 60]));
        assert_eq!(override_layout(&mut s, "a", &[rule(Layout::Chunked(vec![1]))]).unwrap().len(), 1);
        assert!(override_layout(&mut s, "a", &[("a".into(), Override::Layout(Layout::Chunked(vec![1])))]).is_err());
        assert_eq!(override_layout(&mut s, "a", &[rule(Layout::Contiguous)]).unwrap().len(), 1);
        assert!(s.filters.is_empty() && s.maxshape.is_none());
        s.validate().unwrap();
        override_layout(&mut s, "a", &[("a".into(), Override::Filters(vec![Filter::Lzf]))]).unwrap();
        s.validate().unwrap();
        assert_eq!(s.layout, Layout::Auto);
    }
}
