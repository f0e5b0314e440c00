//! Files that another program writes in SWMR mode, and what is left when it dies.

use super::interop::python;
use memh5::format::hdf5::Hdf5File;
use memh5::prelude::*;
use memh5::saver::{Hdf5Saver, SaveOptions, Saver, SaverExt};
use memh5::stage::StageReader;
use memh5::{ErrorKind, Mode, format};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// Writes in SWMR mode, a step for each line that it reads, and answers with a line; at the end of its input it dies without closing the file.
const WRITER: &str = r#"
import sys, os, h5py, numpy as np
f = h5py.File(sys.argv[1], "w", libver=("v110", "v110"))
d = f.create_dataset("a", (3,), maxshape=(None,), chunks=(4,), dtype="f8")
d[...] = [1, 2, 3]
f.create_dataset("large", data=np.arange(400000.), maxshape=(None,), chunks=(10000,))
i = f.create_group("info")
i.attrs["spine_version"] = "0.17.3"
i.attrs["format_version"] = 2
f.create_dataset("events", data=np.arange(3), maxshape=(None,))
p = f.create_group("products/x")
p.attrs["kind"] = "array"
p.attrs["scalar"] = True
p.create_dataset("values", data=np.arange(3.), maxshape=(None,))
p.create_dataset("event_offsets", data=np.arange(4), maxshape=(None,))
f.swmr_mode = True
f.flush()
print("ready", flush=True)
for line in sys.stdin:
    d.resize((len(d) + 2,))
    d[-2:] = [7, 8]
    f.flush()
    print("more", flush=True)
os._exit(0)
"#;

struct Peer {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<std::process::ChildStdout>,
}

impl Peer {
    fn start(python: &Path, file: &Path) -> Self {
        let mut child = Command::new(python).arg("-c").arg(WRITER).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut peer = Self { child, to, from };
        peer.answers("ready");
        peer
    }
    fn answers(&mut self, wanted: &str) {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), wanted);
    }
    fn more(&mut self) {
        writeln!(self.to.as_mut().unwrap()).unwrap();
        self.answers("more");
    }
    fn die(mut self) {
        drop(self.to.take());
        assert!(self.child.wait().unwrap().success());
    }
}

fn is_marked(e: &memh5::Error) {
    assert_eq!(e.kind(), ErrorKind::Locked, "{e}");
    let text = e.to_string();
    assert!(text.contains("SWMR writer") && text.contains("h5clear -s") && text.contains("swmr"), "{text}");
}

#[test]
fn what_a_swmr_writer_has_flushed_is_read() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let mut peer = Peer::start(&python, &path);
    is_marked(&Hdf5File::open(&path, Mode::Read).unwrap_err());
    is_marked(&format::open(&path, Mode::ReadWrite).unwrap_err());
    let e = Hdf5File::options().swmr(true).open(&path, Mode::ReadWrite).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidArgument);

    let file = Hdf5File::options().swmr(true).open(&path, Mode::Read).unwrap();
    let a = file.root().unwrap().dataset("a").unwrap();
    assert_eq!(a.read::<f64>().unwrap().into_raw_vec_and_offset().0, [1.0, 2.0, 3.0]);
    peer.more();
    assert_eq!(a.len().unwrap(), 5);
    assert_eq!(a.read::<f64>().unwrap().into_raw_vec_and_offset().0, [1.0, 2.0, 3.0, 7.0, 8.0]);
    let large = file.root().unwrap().dataset("large").unwrap().read::<f64>().unwrap();
    assert!(large.len() == 400_000 && large.iter().enumerate().all(|(i, v)| *v == i as f64));
    file.close().unwrap();
    let e = StageReader::builder().open([&path]).unwrap_err();
    is_marked(&e);
    let reader = StageReader::builder().swmr(true).open([&path]).unwrap();
    assert_eq!(*reader.product("x").unwrap().values().unwrap(), vec![0.0, 1.0, 2.0].into());
    drop(reader);

    // It dies, and its mark stays: everybody is told what to do.
    peer.die();
    is_marked(&Hdf5File::open(&path, Mode::Read).unwrap_err());
    let saver = Hdf5Saver::new(&path, "a").with_options(SaveOptions::new().timeout(Duration::ZERO));
    is_marked(&saver.append(vec![9.0]).unwrap_err());
    is_marked(&saver.load().unwrap_err());
    // A file that nobody has open is read as ever.
    let plain = dir.path().join("b.h5");
    let file = Hdf5File::create(&plain).unwrap();
    file.root().unwrap().create_dataset("a").write(vec![1.0]).unwrap();
    file.close().unwrap();
    let file = Hdf5File::options().swmr(true).open(&plain, Mode::Read).unwrap();
    assert_eq!(file.root().unwrap().dataset("a").unwrap().read::<f64>().unwrap().into_raw_vec_and_offset().0, [1.0]);
}
