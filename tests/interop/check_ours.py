"""Checks with h5py what tests/h5py_interop.rs has written: values, types, filters, links, references.

usage: check_ours.py FILE
"""
import sys

import h5py
import numpy as np
from h5py import h5s, h5t

import hdf5plugin  # noqa: F401


def main():
    file = h5py.File(sys.argv[1], "r")
    grid = np.arange(600, dtype="<i4").reshape(30, 20) % 97
    g = file["filters"]
    assert len(g) == 14, list(g)
    for name, d in g.items():
        assert d.dtype == np.dtype("<i4"), (name, d.dtype)
        assert (d[...] == grid).all(), name
        assert (d[5:25:3, [2, 19]] == grid[5:25:3, [2, 19]]).all(), name
    assert g["gzip"].compression == "gzip" and g["gzip"].compression_opts == 6 and g["gzip"].chunks == (7, 8)
    assert g["shuffle_gzip"].shuffle and g["shuffle_gzip"].compression_opts == 4
    assert g["fletcher"].fletcher32 and g["lzf"].compression == "lzf" and g["lzf"].shuffle
    assert g["scaleoffset"].scaleoffset is not None
    ids = {name: [g[name].id.get_create_plist().get_filter(i)[0] for i in range(g[name].id.get_create_plist().get_nfilters())] for name in g}
    assert ids["bitshuffle_lz4"] == [32008] and ids["zstd"] == [32015] and ids["nbit"] == [5], ids
    assert g["contiguous"].chunks is None and g["contiguous"].id.get_create_plist().get_layout() == h5py.h5d.CONTIGUOUS
    assert g["compact"].id.get_create_plist().get_layout() == h5py.h5d.COMPACT
    assert g["growing"].maxshape == (None, 40)

    t = file["types"]
    for name in ("i2", "i8", "u4", "f2", "f4", "f8"):
        for tag, mark in (("le", "<"), ("be", ">")):
            d = t[f"{name}_{tag}"]
            assert d.dtype == np.dtype(mark + name), (name, tag, d.dtype)
            assert d[...].tolist() == [0, 1, 2, 100], name
    for tag, mark in (("le", "<"), ("be", ">")):
        assert t[f"c16_{tag}"].dtype == np.dtype(mark + "c16") and t[f"c16_{tag}"][0] == 1 - 2j
    assert t["bool"].dtype == bool and t["bool"][...].tolist() == [True, False, True]
    assert h5py.check_string_dtype(t["str"].dtype) == ("utf-8", None)
    assert t["str"].asstr()[...].tolist() == ["", "a", "Ångström", "日本"]
    assert t["str_scalar"].asstr()[()] == "scalar" and t["str_scalar"].shape == ()
    assert t["fixed"].dtype == np.dtype("S5") and t["fixed"][...].tolist() == [b"abc", b"abcde", b""]
    assert h5py.check_string_dtype(t["fixed_utf8"].dtype) == ("utf-8", 9)
    assert t["fixed_utf8"].asstr()[...].tolist() == ["日本", "x"]
    assert t["null"].shape is None and t["null"].dtype == np.dtype("<f4")
    assert t["empty"].shape == (0, 3) and t["empty"].dtype == np.dtype("<i2")
    assert h5py.check_enum_dtype(t["enum"].dtype) == {"RED": 0, "GREEN": 1, "BLUE": -7} and t["enum"][...].tolist() == [0, 1, -7]
    assert t["compound"].dtype == np.dtype([("n", "i1"), ("x", "<f8"), ("s", "S3")], align=True).newbyteorder("=") or t["compound"].dtype.itemsize == 24
    assert t["compound"].dtype.fields["x"][1] == 8 and t["compound"].dtype.itemsize == 24, t["compound"].dtype
    assert t["compound"][...].tolist() == [(1, 0.5, b"ab"), (2, 1.5, b"ab")]
    assert [v.tolist() for v in t["vlen"][...]] == [[1, 2, 3], [], [7]] and h5py.check_vlen_dtype(t["vlen"].dtype) == np.dtype("<i4")
    assert t["array"].dtype == np.dtype(("<i2", (2,))) and t["array"][...].tolist() == [[1, 2], [3, 4]]
    opaque, raw = t["opaque"].id, np.empty(2, "V4")
    opaque.read(h5s.ALL, h5s.ALL, raw, mtype=opaque.get_type())
    assert opaque.get_type().get_tag() == b"tag of ours" and raw.tobytes() == b"abcdefgh"
    assert t["fill"].fillvalue == 2.5 and t["fill"][...].tolist() == [2.5] * 5
    assert file["committed"].dtype == np.dtype([("x", "<f8")])

    a = file.attrs
    assert a["text"] == "Ångström" and a["number"] == 7 and a["list"].tolist() == [1.0, 2.0] and a["flag"] == np.True_
    assert a["words"].tolist() == ["a", "µ"] and isinstance(a["null"], h5py.Empty)
    assert (a["large"] == np.arange(50000.0)).all()
    assert a.get_id("text").get_type().get_cset() == h5t.CSET_UTF8 and a.get_id("text").get_type().is_variable_str()
    links = file["links"]
    assert links.get("soft", getlink=True).path == "/types/bool" and links["soft"].id.get_type().equal(t["bool"].id.get_type())
    assert links.get("external", getlink=True).filename == "other.h5" and links["hard"] == t["bool"]
    assert list(file["tracked"]) == ["z", "a", "m"] and list(file["tracked"].attrs) == ["z", "a", "m"]
    refs = file["refs"]
    assert file[refs["objects"][0]] == refs["grid"] and file[refs["objects"][1]] == t and not refs["objects"][2]
    values = []
    for r in refs["regions"][...]:
        assert file[r] == refs["grid"]
        space = h5py.h5r.get_region(r, file.id)
        kind = space.get_select_type()
        if kind == h5s.SEL_HYPERSLABS:
            values.append(sorted(tuple(map(tuple, b.tolist())) for b in space.get_select_hyper_blocklist()))
        elif kind == h5s.SEL_POINTS:
            values.append(space.get_select_elem_pointlist().tolist())
        else:
            values.append(int(space.get_select_npoints()))
    assert values[0] == 24 and values[1] == 0, values
    assert values[2] == [((0, 1), (0, 2)), ((0, 4), (0, 5)), ((2, 1), (2, 2)), ((2, 4), (2, 5))], values[2]
    assert values[3] == [((0, 0), (0, 2)), ((2, 4), (3, 5))] and values[4] == [[3, 5], [0, 0]], values
    print("all is as it was written")


if __name__ == "__main__":
    main()
