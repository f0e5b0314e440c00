//! A catalogue of sources as Rust structs: written, grown, read back by another struct, in memory and in a file.

use memh5::{Cast, DType, MemDiskGroup, MemGroup, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
enum Kind {
    Galaxy,
    Remnant,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct Source {
    name: String,
    kind: Kind,
    position: [f64; 2],
    fluxes: Vec<f32>,
}

/// Who wants less asks for less: fields are found by name.
#[derive(Deserialize, PartialEq, Debug)]
struct Position {
    name: String,
    position: [f64; 2],
}

fn catalogue(group: &dyn Group, sources: &[Source]) -> memh5::Result<()> {
    let d = group.create_dataset("sources").maxshape([None]).write_rows(&sources[..1])?;
    d.push_rows(&sources[1..])?;
    assert_eq!(d.read_rows::<Source>()?, sources);
    let positions: Vec<Position> = d.read_rows()?;
    assert_eq!(positions[1].position, sources[1].position);

    // A dtype of one's own choice: what does not fit it is refused, with row and field.
    let dtype: DType = "{name: |S6 (utf-8), kind: enum |u1 {Galaxy=1, Remnant=2}, position: <f4[2], fluxes: vlen(<f8)}".parse()?;
    let compact = group.create_dataset("compact").dtype(dtype.clone());
    let error = compact.write_rows(sources).expect_err("the position has more digits than an f32");
    println!("{error}");
    // Converted explicitly, the nearest values will do.
    let compact = group.create_dataset("compact").write(d.read_array()?.astype(&dtype, Cast::Saturate)?)?;
    println!("{}", compact.read_array()?);
    Ok(())
}

fn main() -> memh5::Result<()> {
    let sources = [
        Source { name: "Cyg A".into(), kind: Kind::Galaxy, position: [299.868, 40.734], fluxes: vec![8.7, 4.5] },
        Source { name: "Cas A".into(), kind: Kind::Remnant, position: [350.85, 58.815], fluxes: vec![] },
    ];
    catalogue(&MemGroup::new(), &sources)?;

    let dir = std::env::temp_dir().join(format!("memh5-rows-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|e| memh5::Error::io(e, &dir))?;
    let file = MemDiskGroup::create(dir.join("sources.h5"))?;
    catalogue(&file, &sources)?;
    file.close()?;
    std::fs::remove_dir_all(&dir).map_err(|e| memh5::Error::io(e, &dir))
}
