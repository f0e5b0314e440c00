"""Writes HDF5 files that hold every type, space, link, layout and attribute that dump_reference.py covers.

usage: torture.py DIRECTORY
"""
import os
import sys

import h5py
import numpy as np

try:
    import hdf5plugin
except ImportError:
    hdf5plugin = None

h5t = h5py.h5t


def low_level(parent, name, tid, shape, raw=None, mem=None):
    """A dataset of a low-level type; the bytes are those of the type itself."""
    space = h5py.h5s.create(h5py.h5s.NULL) if shape is None else h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
    dataset = h5py.h5d.create(parent.id, name.encode(), tid, space)
    if raw is not None:
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, raw, mtype=mem or tid)
    return h5py.Dataset(dataset)


def numbers(f):
    g = f.create_group("numbers")
    for order in "<>":
        for kind in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]:
            dtype = np.dtype(order + kind)
            data = (np.arange(12) * 7 - 3).astype(dtype).reshape(3, 4)
            g.create_dataset(f"{'le' if order == '<' else 'be'}_{kind}", data=data)
            g.attrs.create(f"{'le' if order == '<' else 'be'}_{kind}", data[1], dtype=dtype)
    g["special"] = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7976931348623157e308])
    g["special_f2"] = np.array([np.nan, np.inf, -0.0, 6e-8], "f2")
    g["limits_i8"] = np.array([-2**63, 2**63 - 1])
    g["limits_u8"] = np.array([0, 2**64 - 1], "u8")
    g["long_double"] = np.array([1.5, -2.25, 1e300], np.longdouble)
    g.attrs["long_double"] = np.longdouble(3.75)
    g["bool"] = np.array([[True, False], [False, True]])
    g.attrs["bool"] = True
    g.attrs["bools"] = np.array([True, False, True])
    g["scalar"] = 3.5
    g["empty"] = np.empty((0, 5), "f4")
    g["empty_middle"] = np.empty((3, 0, 2), "i2")
    g["rank32"] = np.zeros((1,) * 31 + (2,), "i1")
    for bits, (le, be) in {8: (h5t.STD_B8LE, h5t.STD_B8BE), 16: (h5t.STD_B16LE, h5t.STD_B16BE), 32: (h5t.STD_B32LE, h5t.STD_B32BE), 64: (h5t.STD_B64LE, h5t.STD_B64BE)}.items():
        raw = np.arange(5, dtype=f"u{bits // 8}") * 3
        low_level(g, f"bits{bits}_le", le, (5,), raw)
        if bits > 8:  # h5py cannot read a big-endian one of 8 bits
            low_level(g, f"bits{bits}_be", be, (5,), raw.byteswap())


def strings(f):
    g = f.create_group("strings")
    text = ["", "plain", "Grüße, 世界 🌍", 'quote " backslash \\ tab \t end', "x" * 1000]
    g.create_dataset("utf8", data=text, dtype=h5py.string_dtype())
    g.create_dataset("ascii", data=[b"", b"abc", b"x" * 300], dtype=h5py.string_dtype("ascii"))
    g.create_dataset("scalar", data="one", dtype=h5py.string_dtype())
    g.create_dataset("unwritten", (4,), dtype=h5py.string_dtype())
    g.create_dataset("fixed", data=np.array([b"", b"abc", b"abcde"], "S5"))
    g.create_dataset("fixed_nul", data=np.array([b"a\0b", b"\0\0c", b"ab\0"], "S5"))
    g.create_dataset("fixed_utf8", data=np.array(["aé".encode(), "日".encode()], dtype=h5py.string_dtype("utf-8", 6)))
    for name, pad in [("nullterm", h5t.STR_NULLTERM), ("nullpad", h5t.STR_NULLPAD), ("spacepad", h5t.STR_SPACEPAD)]:
        tid = h5t.C_S1.copy()
        tid.set_size(6)
        tid.set_strpad(pad)
        raw = np.frombuffer(b"ab\0cd ab    \0\0\0\0\0\0abcdef a \0  ", "S6")
        low_level(g, name, tid, (5,), raw)
        vtid = h5t.C_S1.copy()
        vtid.set_size(h5t.VARIABLE)
        vtid.set_strpad(pad)
        low_level(g, f"var_{name}", vtid, (2,), np.array([b"one  ", b"two"], dtype=h5py.string_dtype("ascii")), h5t.py_create(h5py.string_dtype("ascii"), logical=True))
    g["latin1"] = np.array([b"caf\xe9", b"\xff\xfe"], "S4")
    a = g.attrs
    a["text"] = "Grüße"
    a["empty text"] = ""
    a["bytes"] = np.bytes_(b"abc")
    a["list"] = ["a", "bé", ""]
    a["fixed"] = np.array([b"abc", b"d"], "S3")
    a.create("none", np.empty((0,), object), dtype=h5py.string_dtype())
    a.create("square", np.array([["a", "b"], ["c", "d"]], object), dtype=h5py.string_dtype())
    a.create("broken utf-8", np.array([b"caf\xe9"], object), dtype=h5py.string_dtype("ascii"))


def structured(f):
    g = f.create_group("structured")
    colour = h5py.enum_dtype({"RED": 0, "GREEN": 1, "BLUE": 42}, basetype="i4")
    g.create_dataset("enum", data=np.array([0, 1, 42, 7], "i4"), dtype=colour)
    g.create_dataset("enum_be", data=np.array([0, 255], ">u2"), dtype=h5py.enum_dtype({"LOW": 0, "HIGH": 65535}, basetype=">u2"))
    g.create_dataset("enum_neg", data=np.array([-1, 1], "i1"), dtype=h5py.enum_dtype({"DOWN": -1, "UP": 1}, basetype="i1"))
    big = h5py.enum_dtype({"MAX": 2**63 - 1, "NIL": 0}, basetype="u8")
    g.create_dataset("enum_u8", data=np.array([0, 2**64 - 1], "u8"), dtype=big)
    tid = h5t.enum_create(h5t.STD_U8LE)
    tid.enum_insert(b"TRUE", 1)
    tid.enum_insert(b"FALSE", 0)
    low_level(g, "bool_u1", tid, (3,), np.array([1, 0, 1], "u1"))
    tid = h5t.enum_create(h5t.STD_I32LE)
    tid.enum_insert(b"FALSE", 0)
    tid.enum_insert(b"TRUE", 1)
    low_level(g, "bool_i4", tid, (3,), np.array([1, 0, 1], "i4"))
    g.create_dataset("opaque", data=np.array([b"\0\1\2\3\0", b"abcde"], "V5"))
    g.create_dataset("datetime", data=np.array(["2020-01-01", "NaT"], "M8[ns]").astype(h5py.opaque_dtype("M8[ns]")))

    packed = np.dtype([("a", "i1"), ("b", ">f8"), ("name", "S3"), ("flag", "?"), ("z", "c8")])
    rows = np.zeros(3, packed)
    rows["a"], rows["b"], rows["name"], rows["flag"], rows["z"] = [1, 2, 3], [1.5, -2, np.nan], [b"x", b"yz", b"abc"], [True, False, True], [1 + 2j, 0, -1j]
    g["packed"] = rows
    aligned = np.dtype([("a", "i1"), ("b", "f8"), ("c", "i2")], align=True)
    g["aligned"] = np.array([(1, 2.5, 3), (4, 5.5, 6)], aligned)
    holes = np.dtype({"names": ["late", "early"], "formats": ["i2", "f4"], "offsets": [10, 2], "itemsize": 20})
    data = np.zeros(2, holes)
    data["late"], data["early"] = [1, 2], [3.5, 4.5]
    g["holes"] = data
    nested = np.dtype([("id", "u4"), ("pos", [("x", "f4"), ("y", "f4")]), ("m", "f8", (2, 3)), ("tags", "S4", (2,)), ("kind", colour)])
    rows = np.zeros((2, 2), nested)
    rows["id"] = [[1, 2], [3, 4]]
    rows["pos"]["x"] = 1.25
    rows["m"] = np.arange(6).reshape(2, 3)
    rows["tags"] = [b"ab", b"cdef"]
    rows["kind"] = 42
    g["nested"] = rows
    g.attrs["nested"] = rows[0, 0]
    g.attrs["rows"] = rows[1]
    texts = np.dtype([("s", h5py.string_dtype()), ("n", "i4"), ("t", h5py.string_dtype("ascii"))])
    rows = np.zeros(3, texts)
    rows["s"], rows["n"], rows["t"] = ["a", "é", ""], [1, 2, 3], [b"x", b"", b"zz"]
    g["texts"] = rows
    g.attrs["texts"] = rows
    g.create_dataset("nullcompound", data=h5py.Empty(packed))

    complex_parts = h5t.create(h5t.COMPOUND, 24)
    complex_parts.insert(b"r", 4, h5t.IEEE_F64LE)
    complex_parts.insert(b"i", 12, h5t.IEEE_F64LE)
    low_level(g, "padded_complex", complex_parts, (2,))
    reim = np.array([(1.0, 2.0)], [("re", "f8"), ("im", "f8")])
    g["re_im"] = reim

    def array_set(name, base, dims, data):
        tid = h5t.array_create(h5t.py_create(base, logical=True), dims)
        space = h5py.h5s.create_simple((len(data),))
        d = h5py.h5d.create(g.id, name.encode(), tid, space)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(data), mtype=tid)

    array_set("array_i4", np.dtype("i4"), (2, 3), np.arange(12, dtype="i4").reshape(2, 2, 3))
    array_set("array_be", np.dtype(">f4"), (3,), np.arange(6, dtype=">f4").reshape(2, 3))
    array_set("array_text", np.dtype("S4"), (2,), np.array([[b"ab", b"c"], [b"", b"wxyz"]], "S4"))
    array_set("array_rows", np.dtype([("a", "i2"), ("b", "S2")]), (2,), np.array([[(1, b"x"), (2, b"yy")]], [("a", "i2"), ("b", "S2")]))
    array_set("array_enum", colour, (2,), np.array([[0, 42]], "i4"))
    g.attrs.create("array", np.arange(6, dtype="i2").reshape(2, 3), shape=(2, 3), dtype=np.dtype(("i2", (3,))))
    g.attrs.create("array_scalar", np.arange(4, dtype=">f8"), shape=(4,), dtype=np.dtype((">f8", (4,))))


def sequences(f):
    g = f.create_group("sequences")
    for name, base, rows in [
        ("i4", "i4", [[1, 2, 3], [], [4]]),
        ("f8", "f8", [[], []]),
    ]:
        d = g.create_dataset(name, (len(rows),), dtype=h5py.vlen_dtype(np.dtype(base)))
        for k, row in enumerate(rows):
            d[k] = np.array(row, base)
    g.create_dataset("unwritten", (3,), dtype=h5py.vlen_dtype(np.dtype("f4")))
    point = np.dtype([("x", "f4"), ("n", "i2")])
    d = g.create_dataset("points", (2,), dtype=h5py.vlen_dtype(point))
    d[0] = np.array([(1.5, 2), (3.5, 4)], point)
    d[1] = np.array([(0, 0)], point)
    d = g.create_dataset("square", (2, 2), dtype=h5py.vlen_dtype(np.dtype("u1")))
    d[0, 0], d[1, 1] = np.arange(5, dtype="u1"), np.arange(2, dtype="u1")
    d = g.create_dataset("enum", (2,), dtype=h5py.vlen_dtype(h5py.enum_dtype({"A": 1, "B": 2}, basetype="i1")))
    d[0] = np.array([1, 2, 1], "i1")
    mixed = np.dtype([("n", "i4"), ("v", h5py.vlen_dtype(np.dtype("f8")))])
    rows = np.zeros(2, mixed)
    rows["n"] = [1, 2]
    rows["v"][0], rows["v"][1] = np.array([1.0, 2.0]), np.array([])
    g["in_compound"] = rows
    attribute = np.empty(2, object)
    attribute[0], attribute[1] = np.array([1, 2], "i4"), np.array([], "i4")
    g.attrs.create("ragged", attribute, dtype=h5py.vlen_dtype(np.dtype("i4")))
    d = g.create_dataset("texts", (2,), dtype=h5py.vlen_dtype(h5py.string_dtype()))
    d[0] = np.array(["a", "bé"], object)


def references(f):
    g = f.create_group("references")
    a = g.create_dataset("a", data=np.arange(20).reshape(4, 5))
    b = g.create_group("b")
    z = f.create_group("zz_later").create_dataset("target", data=np.arange(10))
    refs = g.create_dataset("refs", (6,), dtype=h5py.ref_dtype)  # the last one stays null
    refs[0], refs[1], refs[2], refs[3], refs[4] = a.ref, b.ref, z.ref, f.ref, g.ref
    d = g.create_dataset("regions", (7,), dtype=h5py.regionref_dtype)
    d[0], d[1], d[2] = a.regionref[1:3, ::2], a.regionref[...], z.regionref[3]
    d[3] = a.regionref[2:2, :]
    d[4] = a.regionref[a[...] % 7 == 0]
    d[5] = a.regionref[1, [0, 2, 4]]
    g.attrs.create("ref", a.ref, dtype=h5py.ref_dtype)
    g.attrs.create("refs", np.array([a.ref, b.ref], object), dtype=h5py.ref_dtype)
    g.attrs.create("region", a.regionref[0:2, 1:4], dtype=h5py.regionref_dtype)
    mixed = np.dtype([("n", "i4"), ("o", h5py.ref_dtype), ("r", h5py.regionref_dtype)])
    rows = np.zeros(2, mixed)
    rows["n"], rows["o"], rows["r"] = [1, 2], [a.ref, b.ref], [a.regionref[0:1, 0:1], z.regionref[::3]]
    g.create_dataset("mixed", data=rows, dtype=mixed)
    v = g.create_dataset("ragged", (2,), dtype=h5py.vlen_dtype(h5py.ref_dtype))
    v[0] = np.array([a.ref, z.ref], dtype=h5py.ref_dtype)
    g["null"] = h5py.Empty("f4")
    g["null_ref"] = h5py.Empty(h5py.ref_dtype)


def links(f):
    g = f.create_group("links")
    inner = g.create_group("inner")
    inner["data"] = np.arange(3)
    g["again"] = inner["data"]
    g["cycle"] = g
    inner["up"] = f["/"]
    g["soft"] = h5py.SoftLink("/links/inner/data")
    g["soft_relative"] = h5py.SoftLink("inner/data")
    g["nowhere"] = h5py.SoftLink("/no/such")
    g["external"] = h5py.ExternalLink("other.h5", "/x/y")
    g["Z upper"], g["a lower"], g["é"], g["日本 \t\"q\"\\"] = 1, 2, 3, 4
    g["\U0001f600"], g["\uffee"] = 5, 6  # not in this order as UTF-16
    tracked = f.create_group("tracked", track_order=True)
    for name in ["z", "a", "m"]:
        tracked[name] = name
        tracked.attrs[name] = name
    g["type"] = np.dtype([("a", "i4"), ("b", "S3")])
    g["type"].attrs["unit"] = "mm"
    g["type_text"] = h5py.string_dtype()
    g.create_dataset("of_type", (3,), dtype=g["type"])
    g["inner"].attrs.create("typed", np.zeros(2, [("a", "i4"), ("b", "S3")]), dtype=g["type"])


def layouts(f):
    g = f.create_group("layouts")
    data = np.arange(400, dtype="i4").reshape(20, 20)
    g.create_dataset("contiguous", data=data)
    g.create_dataset("chunked", data=data, chunks=(7, 20))
    g.create_dataset("gzip", data=data, chunks=(5, 5), compression="gzip", compression_opts=9)
    g.create_dataset("shuffled", data=data, chunks=(5, 5), compression="gzip", shuffle=True, fletcher32=True)
    g.create_dataset("lzf", data=data, chunks=(10, 10), compression="lzf")
    g.create_dataset("scaleoffset", data=data, chunks=(10, 10), scaleoffset=0)
    if h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
        g.create_dataset("szip", data=data, chunks=(10, 10), compression="szip")
    g.create_dataset("growing", data=data, chunks=(4, 4), maxshape=(None, 40))
    g.create_dataset("grown", (3,), maxshape=(None,), dtype="f8", fillvalue=-1.5)
    g["grown"].resize((10,))
    g.create_dataset("never", (0,), maxshape=(None,), chunks=(16,), dtype="i8")
    g.create_dataset("filled", (5,), dtype="i2", fillvalue=7)
    g.create_dataset("text", data=["a", "b"] * 50, dtype=h5py.string_dtype(), chunks=(10,), compression="gzip")
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(g.id, b"compact", h5t.NATIVE_INT32, space, compact).write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(4, dtype="i4"))
    if hdf5plugin:
        g.create_dataset("bitshuffle", data=data, chunks=(20, 20), **hdf5plugin.Bitshuffle(nelems=0, cname="lz4"))
        g.create_dataset("bitshuffle_zstd", data=data, chunks=(20, 20), **hdf5plugin.Bitshuffle(nelems=0, cname="zstd"))
        g.create_dataset("bitshuffle_only", data=data, chunks=(20, 20), **hdf5plugin.Bitshuffle(nelems=0, cname="none"))
        g.create_dataset("zstd", data=data, chunks=(20, 20), **hdf5plugin.Zstd(clevel=5))


def attributes(f):
    g = f.create_group("attributes")
    g.attrs["null"] = h5py.Empty("f4")
    g.attrs["null text"] = h5py.Empty("S3")
    g.attrs["zero"] = np.empty((0, 3))
    g.attrs["é"] = 1
    g.attrs["Z"] = 2
    g.attrs["a b/c"] = 3
    g.attrs["opaque"] = np.void(b"\0\1\2")
    g.attrs["complex"] = 1 + 2j
    g.attrs["half"] = np.float16(0.5)
    for k in range(40):
        g.attrs[f"many{k}"] = k


def dangling(f):
    """A reference to what was deleted: no copy can hold it."""
    gone = f.create_dataset("gone", data=1)
    refs = f.create_dataset("refs", (3,), dtype=h5py.ref_dtype)
    refs[0], refs[1] = gone.ref, refs.ref
    del f["gone"]


def beyond(f):
    """What h5py writes and cannot read, or reads with other values than h5dump does; dump_reference.py is no measure here."""
    d = f.create_dataset("sequence_be", (2,), dtype=h5py.vlen_dtype(np.dtype(">u2")))
    d[0], d[1] = np.array([1, 256], ">u2"), np.array([65535], ">u2")
    tagged = h5t.create(h5t.OPAQUE, 3)
    tagged.set_tag(b"a tag, with spaces")
    low_level(f, "tagged", tagged, (2,), np.array([b"abc", b"\0\0\1"], "V3"))
    low_level(f, "bits8_be", h5t.STD_B8BE, (3,), np.array([1, 2, 255], "u1"))
    odd = h5t.STD_I32LE.copy()
    odd.set_size(3)
    low_level(f, "i3", odd, (2,), np.frombuffer(b"\1\0\0\xff\xff\xff", "V3"))


PARTS = [numbers, strings, structured, sequences, references, links, layouts, attributes]


def main():
    directory = sys.argv[1]
    for part in PARTS:
        with h5py.File(os.path.join(directory, part.__name__ + ".h5"), "w") as f:
            part(f)
    with h5py.File(os.path.join(directory, "all_latest.h5"), "w", libver="latest") as f:
        for part in PARTS:
            if part is not structured:
                part(f)
        f.attrs["large"] = np.arange(20_000)
    with h5py.File(os.path.join(directory, "all_v110.h5"), "w", libver=("earliest", "v110"), userblock_size=512, track_order=True) as f:
        for part in PARTS:
            part(f)
    with h5py.File(os.path.join(directory, "empty.h5"), "w"):
        pass
    with h5py.File(os.path.join(directory, "beyond.h5"), "w") as f:
        beyond(f)
    with h5py.File(os.path.join(directory, "dangling.h5"), "w") as f:
        dangling(f)


if __name__ == "__main__":
    main()
