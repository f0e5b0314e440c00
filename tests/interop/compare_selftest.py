"""Shows that compare.py can fail: changes one thing at a time in a copy of h5py's file, and looks for it among the differences.

usage: compare_selftest.py FILE DIRECTORY      FILE is one of make_h5py.py
"""
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
from h5py import h5d, h5r, h5s, h5t

import hdf5plugin  # noqa: F401


def replaced(file, path, tid, space=None):
    del file[path]
    return h5d.create(file.id, path.encode(), tid, space or h5s.create_simple((4,)))


def strpad(file):
    tid = h5t.C_S1.copy()
    tid.set_size(6)
    tid.set_strpad(h5t.STR_SPACEPAD)
    replaced(file, "low/fixed_0_0_v", tid)


def region(file):
    grid = file["references/grid"]
    space = grid.id.get_space()
    space.select_hyperslab((1, 2), (1, 1), block=(2, 2))
    d = file["references/regions"]
    d[2] = h5r.create(grid.id, b".", h5r.DATASET_REGION, space)


def point_order(file):
    grid = file["references/grid"]
    space = grid.id.get_space()
    space.select_elements(np.array([(0, 0), (3, 5), (1, 2), (0, 0)]))
    file["references/regions"][6] = h5r.create(grid.id, b".", h5r.DATASET_REGION, space)


def order(file):
    file.move("tracked/z", "tracked/temporary")
    file.move("tracked/temporary", "tracked/z")


def tag(file):
    tid = h5t.create(h5t.OPAQUE, 4)
    tid.set_tag(b"another meaning")
    replaced(file, "low/opaque_v", tid)


def remade(path, **options):
    def change(file):
        data = file[path][...]
        del file[path]
        file.create_dataset(path, data=data, **options)

    return change


CHANGES = {
    "a value": lambda f: f["layouts/contiguous"].__setitem__((3, 4), -1),
    "a value in chunks": lambda f: f["layouts/lzf"].__setitem__((29, 19), -1),
    "a text": lambda f: f["layouts/text_gzip"].__setitem__(1, "Text"),
    "the sign of zero": lambda f: f["fills/zero"].__setitem__(0, -0.0),
    "an attribute": lambda f: f["attributes"].attrs.modify("int", 2),
    "an attribute's type": lambda f: f["attributes"].attrs.create("int", 1, dtype="i4"),
    "an attribute's shape": lambda f: f["attributes"].attrs.create("int", [1]),
    "a missing attribute": lambda f: f["attributes"].attrs.__delitem__("vlen"),
    "one attribute more": lambda f: f["dtypes"].attrs.__setitem__("more", 1),
    "an attribute's text": lambda f: f["attributes"].attrs.__setitem__("unicode", "Angström 日本"),
    "a soft link": lambda f: (f["links"].__delitem__("dangling"), f["links"].__setitem__("dangling", h5py.SoftLink("/no/where/else"))),
    "an external link": lambda f: (f["links"].__delitem__("external"), f["links"].__setitem__("external", h5py.ExternalLink("others.h5", "/in/there"))),
    "a copy for a hard link": lambda f: (f["links"].__delitem__("hard"), f["links"].create_dataset("hard", data=[1, 2, 3])),
    "a missing object": lambda f: f["layouts"].__delitem__("zstd"),
    "an object reference": lambda f: f["references/objects"].__setitem__(1, f["references/scalar"].ref),
    "a region": region,
    "the order of points": point_order,
    "the order of names": order,
    "a string's padding": strpad,
    "a tag": tag,
    "byte order": lambda f: (f["fills"].__delitem__("int"), f["fills"].create_dataset("int", (3,), ">i4", fillvalue=-7)),
    "a fill value": lambda f: (f["fills"].__delitem__("int"), f["fills"].create_dataset("int", (3,), "<i4", fillvalue=-8)),
    "maxshape": remade("layouts/limited", maxshape=(101, 20), chunks=(10, 10), compression="gzip"),
    "chunks": remade("layouts/plain", chunks=(7, 9)),
    "a filter": remade("layouts/gzip", chunks=(7, 8), compression="gzip", compression_opts=5),
    "a filter less": remade("layouts/shuffle_gzip", chunks=(7, 8), compression="gzip"),
    "the layout": remade("layouts/contiguous", chunks=(30, 20)),
    "a tracked order": lambda f: (f["links"].__delitem__("sub"), f["links"].create_group("sub", track_order=True).__setitem__("up", f["/"])),
    "a committed type": lambda f: (f["links"].__delitem__("datatype"), f["links"].__setitem__("datatype", np.dtype([("x", "<f8"), ("z", "<f8")]))),
}


def main():
    original, directory = sys.argv[1:3]
    compare = os.path.join(os.path.dirname(__file__), "compare.py")
    missed = []
    for name, change in CHANGES.items():
        changed = os.path.join(directory, "changed.h5")
        shutil.copy(original, changed)
        with h5py.File(changed, "r+") as file:
            change(file)
        found = subprocess.run([sys.executable, compare, original, changed], capture_output=True, text=True)
        if found.returncode != 1 or "Traceback" in found.stderr:
            missed.append(f"{name}: {found.returncode} {found.stdout[:200]} {found.stderr[-300:]}")
    same = subprocess.run([sys.executable, compare, original, original], capture_output=True, text=True)
    if same.returncode != 0:
        missed.append(f"the file itself: {same.stdout[:500]} {same.stderr[-300:]}")
    for line in missed:
        print(line)
    print(f"{len(CHANGES)} changes, {len(missed)} missed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
