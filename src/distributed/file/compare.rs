//! Is what every rank has the same on all of them? Compared by checksums, before rank 0 writes it for all.

use super::tree;
use crate::array::AnyArray;
use crate::distributed::{Agreement, Call, Step};
use crate::dtype::layout::Layout;
use crate::error::{Error, Result, error};
use crate::path;
use crate::selection::Selection;
use crate::tree::{Attributes, Digester, Fill, Group, LazyPaths, Node, ObjectId};
use std::collections::HashMap;

/// What to do if the common data of the ranks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum CommonData {
    /// Compare them, and fail if they differ: with the object and the rank.
    #[default]
    Check,
    /// Write those of rank 0 without looking at the others: what caput does.
    RankZero,
}

/// An object and the checksum of all that has to be equal on all ranks.
#[derive(Debug, PartialEq)]
struct Entry {
    path: String,
    sum: u64,
}

/// Fails on all ranks if the trees below the group differ in anything but the elements of distributed datasets.
pub(super) fn check(step: &Step<'_>, from: &dyn Group, what: CommonData) -> Result<()> {
    let remedy = "make them equal, or say common_data(CommonData::RankZero): then those of rank 0 are written";
    find(step, from, what)?.map_or(Ok(()), |different| Err(different.remedy(remedy)))
}

/// What differs between the ranks in what is below the group, but for the elements of distributed datasets. Collective.
pub(crate) fn difference(agreement: &Agreement, below: &dyn Group) -> Result<Option<Error>> {
    let call = Call::new("compare the trees of the ranks").path(below.name());
    let found = agreement.collective(call, |step| find(step, below, CommonData::Check))?;
    Ok(found.map(|different| different.remedy("make them equal on all ranks")))
}

/// The difference of the trees of the ranks; the same on all.
fn find(step: &Step<'_>, from: &dyn Group, what: CommonData) -> Result<Option<Error>> {
    let comm = &**step.comm();
    let entries = step.agree(survey(from, what))?;
    if comm.size() == 1 {
        return Ok(None);
    }
    let mut sum = Sum::default();
    for entry in &entries {
        sum.bytes(entry.path.as_bytes());
        sum.number(entry.sum);
    }
    let all = comm.all_gather(&sum.finish().to_le_bytes())?;
    if all.iter().all(|other| Some(other) == all.first()) {
        return Ok(None);
    }
    // Only now is it worth to send the list.
    let mine: Vec<(&str, u64)> = entries.iter().map(|e| (e.path.as_str(), e.sum)).collect();
    let lists = comm.all_gather(&serde_json::to_vec(&mine).unwrap_or_default())?;
    let lists: Vec<Vec<(String, u64)>> = lists.iter().map(|l| serde_json::from_slice(l).unwrap_or_default()).collect();
    let Some((first, others)) = lists.split_first() else { return Ok(None) };
    for (rank, list) in others.iter().enumerate().map(|(k, l)| (k + 1, l)) {
        for at in 0..first.len().max(list.len()) {
            let (a, b) = (first.get(at), list.get(at));
            if a == b {
                continue;
            }
            let path = a.or(b).map(|(p, _)| p.clone()).unwrap_or_default();
            let error = match (a, b) {
                (Some((a, _)), Some((b, _))) if a == b => {
                    error!(Collective, "the object differs between rank 0 and rank {rank}, and is to be the same on all ranks")
                }
                (Some((a, _)), Some((b, _))) => error!(Collective, "the trees differ: where rank 0 has '{a}', rank {rank} has '{b}'"),
                _ => error!(Collective, "the trees differ: rank 0 has {} objects, rank {rank} has {}", first.len(), list.len()),
            };
            return Ok(Some(error.on_rank(rank).at(path)));
        }
    }
    Ok(Some(error!(Collective, "the trees of the ranks differ")))
}

/// The objects in the order of the walk.
fn survey(from: &dyn Group, what: CommonData) -> Result<Vec<Entry>> {
    let (mut out, mut seen) = (Vec::new(), HashMap::new());
    let mut paths = LazyPaths::new(from);
    let mut stack = vec![(from.to_ref(), String::new())];
    seen.insert(from.id()?, 0);
    let mut sum = Sum::default();
    attributes(from, &mut sum, &mut paths, what)?;
    out.push(Entry { path: "/".into(), sum: sum.finish() });
    while let Some((group, base)) = stack.pop() {
        for name in group.child_names()? {
            let path = path::join(if base.is_empty() { "/" } else { &base }, &name);
            let mut sum = Sum::default();
            match group.open_child(&name)? {
                None => sum.bytes(format!("{:?}", group.child_link(&name)?).as_bytes()),
                Some(node) => {
                    if !known(&node, &mut seen, &mut sum)? {
                        object(&node, &mut sum, &mut paths, what)?;
                        if let Node::Group(child) = node {
                            stack.push((child, path.clone()));
                        }
                    }
                }
            }
            out.push(Entry { path, sum: sum.finish() });
        }
    }
    Ok(out)
}

/// True if the walk has met the object before; then the checksum is that of when.
fn known(node: &Node, seen: &mut HashMap<ObjectId, usize>, sum: &mut Sum) -> Result<bool> {
    let (id, next) = (node.object().id()?, seen.len());
    match seen.entry(id) {
        std::collections::hash_map::Entry::Occupied(first) => {
            sum.bytes(b"seen");
            sum.number(*first.get() as u64);
            Ok(true)
        }
        std::collections::hash_map::Entry::Vacant(place) => {
            place.insert(next);
            Ok(false)
        }
    }
}

fn object(node: &Node, sum: &mut Sum, paths: &mut LazyPaths<'_>, what: CommonData) -> Result<()> {
    sum.bytes(node.kind().as_bytes());
    attributes(node.attrs(), sum, paths, what)?;
    match node {
        Node::Group(group) => sum.bytes(format!("{:?}", group.group_spec()?).as_bytes()),
        Node::Datatype(datatype) => sum.bytes(format!("{:?}", datatype.committed_dtype()?).as_bytes()),
        Node::Dataset(dataset) => {
            let spec = dataset.spec()?;
            let shape = (&spec.dtype, &spec.shape, &spec.maxshape, &spec.layout, &spec.filters, spec.track_order);
            sum.bytes(format!("{shape:?}").as_bytes());
            if let Fill::Value(value) = &spec.fill {
                array(value, sum, paths)?;
            }
            match tree::spread(&**dataset)? {
                Some(spread) => sum.number(1 + spread.axis as u64),
                None if what == CommonData::Check => array(&dataset.read_selection(&Selection::All)?, sum, paths)?,
                None => {}
            }
        }
    }
    Ok(())
}

fn attributes(object: &dyn Attributes, sum: &mut Sum, paths: &mut LazyPaths<'_>, what: CommonData) -> Result<()> {
    if what == CommonData::RankZero {
        return Ok(());
    }
    for name in object.attr_names()? {
        sum.bytes(name.as_bytes());
        if let Some(value) = object.attr_read(&name)? {
            sum.bytes(format!("{} {:?}", value.dtype(), value.extent()).as_bytes());
            array(&value, sum, paths)?;
        }
    }
    Ok(())
}

fn array(array: &AnyArray, sum: &mut Sum, paths: &mut LazyPaths<'_>) -> Result<()> {
    match array.as_bytes() {
        Some(bytes) if Layout::of(array.dtype()).is_solid() => sum.bytes(bytes),
        // Padding and pointers are no content.
        _ => {
            let mut digest = Digester::new(array.dtype());
            digest.add(array, paths)?;
            sum.bytes(digest.finish().as_bytes());
        }
    }
    Ok(())
}

/// A checksum at the speed of memory, for equal machines: four sums over words that are multiplied and turned.
#[derive(Debug)]
struct Sum {
    lanes: [u64; 4],
    len: u64,
}

const A: u64 = 0x9E37_79B1_85EB_CA87;
const B: u64 = 0xC2B2_AE3D_27D4_EB4F;

impl Default for Sum {
    fn default() -> Self {
        Self { lanes: [A.wrapping_add(B), B, 0, A.wrapping_neg()], len: 0 }
    }
}

fn turn(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(B)).rotate_left(31).wrapping_mul(A)
}

impl Sum {
    fn bytes(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<32>();
        for block in blocks {
            let words = block.as_chunks::<8>().0;
            for (lane, word) in self.lanes.iter_mut().zip(words) {
                *lane = turn(*lane, u64::from_le_bytes(*word));
            }
        }
        for part in rest.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.lanes[0] = turn(self.lanes[0], u64::from_le_bytes(word));
            self.lanes.rotate_left(1);
        }
        self.number(bytes.len() as u64);
    }

    fn number(&mut self, number: u64) {
        self.len = self.len.wrapping_add(1);
        self.lanes[1] = turn(self.lanes[1], number ^ self.len);
        self.lanes.rotate_left(1);
    }

    fn finish(&self) -> u64 {
        let mut all = self.lanes.iter().fold(self.len, |all, lane| turn(all ^ (lane >> 29), *lane));
        for _ in 0..2 {
            all = (all ^ (all >> 32)).wrapping_mul(B);
        }
        all ^ (all >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(parts: &[&[u8]]) -> u64 {
        let mut sum = Sum::default();
        parts.iter().for_each(|p| sum.bytes(p));
        sum.finish()
    }

    #[test]
    fn every_byte_and_every_border_counts() {
        let data: Vec<u8> = (0..100).collect();
        let whole = sum(&[&data]);
        for at in 0..data.len() {
            let mut other = data.clone();
            other[at] ^= 1;
            assert_ne!(sum(&[&other]), whole, "{at}");
            assert_ne!(sum(&[&data[..at], &data[at..]]), whole, "{at}");
        }
        assert_ne!(sum(&[b"", b"a"]), sum(&[b"a", b""]));
        assert_ne!(sum(&[&[0; 8]]), sum(&[&[0; 16]]));
    }
}
