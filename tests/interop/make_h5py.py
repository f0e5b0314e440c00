"""Writes an HDF5 file with everything that h5py can write: every dtype, rank, layout, filter, attribute, link, reference.

usage: make_h5py.py OUT [--v110]
With --v110 the file has large attributes (past 64 KiB), which need the newer file format, and the new groups and headers.
"""
import sys

import h5py
import numpy as np
from h5py import h5d, h5p, h5r, h5s, h5t

import hdf5plugin

rng = np.random.default_rng(7)
SHAPES = [(), (0,), (1,), (5,), (2, 0), (2, 3), (2, 1, 3), (1, 2, 3, 2)]


def fixed(size, cset=h5t.CSET_ASCII, pad=h5t.STR_NULLPAD):
    tid = h5t.C_S1.copy()
    tid.set_size(size)
    tid.set_cset(cset)
    tid.set_strpad(pad)
    return tid


def numpy_types():
    for code in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"):
        yield code, np.dtype("<" + code)
        if code[1:] != "1":
            yield code + "_be", np.dtype(">" + code)
    yield "f16", np.dtype(np.longdouble)
    yield "c32", np.dtype(np.clongdouble)
    yield "bool", np.dtype(bool)
    yield "S7", np.dtype("S7")
    yield "V5", np.dtype("V5")
    yield "str", h5py.string_dtype()
    yield "str_ascii", h5py.string_dtype("ascii")
    yield "utf8_9", h5py.string_dtype("utf-8", 9)
    yield "enum", h5py.enum_dtype({"RED": 0, "GREEN": 1, "BLUE": -7}, basetype="i2")
    yield "enum_be", h5py.enum_dtype({"A": 1, "B": 70000}, basetype=">i4")
    yield "enum_bool_u1", h5py.enum_dtype({"FALSE": 0, "TRUE": 1}, basetype="u1")
    yield "packed", np.dtype([("n", "i1"), ("x", "<f8"), ("s", "S3")])
    yield "aligned", np.dtype([("n", "i1"), ("x", ">f8"), ("b", "?"), ("z", "<c8")], align=True)
    yield "padded", np.dtype({"names": ["a", "b"], "formats": ["<i2", "<f4"], "offsets": [3, 9], "itemsize": 21})
    yield "unordered", np.dtype({"names": ["b", "a"], "formats": ["<f4", "<i2"], "offsets": [8, 0], "itemsize": 12})
    yield "nested", np.dtype([("in", [("p", "<i4"), ("q", [("deep", "<u2", (2, 2))])]), ("ünï", "<f4", (3,))])
    yield "with_text", np.dtype([("id", "<i4"), ("name", h5py.string_dtype()), ("fix", "S4")])
    yield "with_list", np.dtype([("v", h5py.vlen_dtype("<f4")), ("e", h5py.enum_dtype({"X": 1}, "i1"))])
    yield "array", np.dtype(("<i2", (3,)))
    yield "array2", np.dtype((">f8", (2, 3)))
    yield "vlen", h5py.vlen_dtype("<i4")
    yield "vlen_be", h5py.vlen_dtype(">f8")
    yield "vlen_str", h5py.vlen_dtype(h5py.string_dtype())
    yield "vlen_compound", h5py.vlen_dtype(np.dtype([("a", "<i2"), ("b", "<f8")]))
    yield "datetime", h5py.opaque_dtype(np.dtype("<M8[ns]"))


WORDS = ["", "a", "Ångström", "日本", "some longer text", "x" * 300]


def value(dt, name=""):
    """One drawn element."""
    text, vlen, enum = h5py.check_string_dtype(dt), h5py.check_vlen_dtype(dt), h5py.check_enum_dtype(dt)
    if vlen in (str, bytes):
        vlen = None
    if text is not None and text.length is None:
        word = WORDS[rng.integers(len(WORDS))]
        return word.encode("ascii", "ignore").decode() if text.encoding == "ascii" else word
    if vlen is not None:
        vlen = np.dtype(vlen)
        n = int(rng.integers(0, 4))
        if h5py.check_string_dtype(vlen) is not None:
            out = np.empty(n, dtype=object)
            out[:] = [value(vlen) for _ in range(n)]
            return out
        return np.array([value(vlen) for _ in range(n)], dtype=vlen)
    if enum is not None:
        return list(enum.values())[rng.integers(len(enum))]
    if dt.fields:
        return tuple(value(dt[n]) for n in dt.names)
    if dt.subdtype:
        base, shape = dt.subdtype
        return np.array([value(base) for _ in range(int(np.prod(shape)))], dtype=base).reshape(shape)
    if dt.kind in "iu":
        info = np.iinfo(dt)
        return int(rng.integers(info.min, info.max, endpoint=True, dtype=dt.newbyteorder("=")))
    if dt.kind == "b":
        return bool(rng.integers(2))
    if dt.kind == "f":
        return [0.0, -0.0, np.inf, -np.inf, np.nan, float(np.float16(rng.normal() * 100))][rng.integers(6)]
    if dt.kind == "c":
        return complex(float(np.float16(rng.normal())), float(np.float16(rng.normal())))
    if dt.kind == "S":
        word = WORDS[rng.integers(len(WORDS))]
        raw = word.encode()[: dt.itemsize] if text is None or text.encoding == "utf-8" else word.encode("ascii", "ignore")[: dt.itemsize]
        return raw.decode("utf-8", "ignore").encode()
    if dt.kind == "V":
        return np.void(rng.bytes(dt.itemsize))
    if dt.kind == "M":
        return np.datetime64(int(rng.integers(1 << 60)), "ns")
    raise SystemExit(f"make_h5py: no values for {dt}")


def draw(dt, shape):
    base, sub = dt.subdtype or (dt, ())
    out = np.empty(shape + sub, dtype=base)
    for at in np.ndindex(shape):
        out[at] = value(dt)
    return out


def low_level_types():
    """Types that numpy has no name for."""
    for cset in (h5t.CSET_ASCII, h5t.CSET_UTF8):
        for pad in (h5t.STR_NULLTERM, h5t.STR_NULLPAD, h5t.STR_SPACEPAD):
            yield f"fixed_{cset}_{pad}", fixed(6, cset, pad), lambda k: [b"", b"a", b"abc  ", "µm".encode() if k else b"um"]
            tid = fixed(h5t.VARIABLE, cset, pad)
            yield f"var_{cset}_{pad}", tid, None
    for bits in (8, 16, 32, 64):
        for order in ("LE", "BE"):
            yield f"bits_{bits}_{order}", getattr(h5t, f"STD_B{bits}{order}"), None
    tid = h5t.create(h5t.OPAQUE, 4)
    tid.set_tag(b"four bytes of meaning")
    yield "opaque", tid, None
    tid = h5t.array_create(h5t.array_create(h5t.STD_I16LE, (2,)), (3,))
    yield "array_of_array", tid, None
    yield "vlen_of_vlen", h5t.vlen_create(h5t.vlen_create(h5t.STD_I32LE)), None


def low_level(group):
    for name, tid, _ in low_level_types():
        for tag, space in (("v", h5s.create_simple((4,))), ("s", h5s.create(h5s.SCALAR)), ("null", h5s.create(h5s.NULL))):
            d = h5d.create(group.id, f"{name}_{tag}".encode(), tid, space)
            if tag == "null":
                continue
            n = 4 if tag == "v" else 1
            cls = tid.get_class()
            if cls == h5t.STRING and not tid.is_variable_str():
                pad = b" " if tid.get_strpad() == h5t.STR_SPACEPAD else b"\0"
                words = [b"", b"a", b"abc d", "µm".encode() if tid.get_cset() == h5t.CSET_UTF8 else b"um"][:n]
                d.write(h5s.ALL, h5s.ALL, np.frombuffer(b"".join(w.ljust(6, pad) for w in words), "V6"), mtype=tid)
            elif cls == h5t.STRING:
                words = np.array(["", "a", "abc d", "um"][:n], dtype=h5py.string_dtype("ascii" if tid.get_cset() == h5t.CSET_ASCII else "utf-8"))
                d.write(h5s.ALL, h5s.ALL, words)
            elif cls in (h5t.BITFIELD, h5t.OPAQUE, h5t.ARRAY):
                raw = rng.bytes(n * tid.get_size())
                d.write(h5s.ALL, h5s.ALL, np.frombuffer(raw, f"V{tid.get_size()}"), mtype=tid)
            if cls == h5t.STRING and tid.is_variable_str():
                continue


def dtypes(file):
    group = file.create_group("dtypes")
    for name, dt in numpy_types():
        for shape in SHAPES:
            tag = "x".join(map(str, shape)) or "scalar"
            d = group.create_dataset(f"{name}/{tag}", shape, dtype=dt)
            data = draw(dt, shape)
            if data.size:
                if h5py.check_vlen_dtype(dt) not in (None, str, bytes):
                    for at in np.ndindex(shape):
                        d[at] = data[at]
                elif dt.subdtype:
                    d[...] = data
                else:
                    d.write_direct(data)
            if not dt.subdtype and not h5py.check_vlen_dtype(dt):
                group[name].attrs.create(tag, data, shape, dt)
        group[name].create_dataset("null", data=h5py.Empty(dt.subdtype[0] if dt.subdtype else dt))
        if not dt.subdtype:
            group[name].attrs["null"] = h5py.Empty(dt)
    rank32 = (1,) * 20 + (2,) + (1,) * 10 + (3,)
    group.create_dataset("rank32", data=np.arange(6, dtype="<i4").reshape(rank32))
    low_level(file.create_group("low"))


def layouts(file):
    g = file.create_group("layouts")
    data = np.arange(600, dtype="<i4").reshape(30, 20) % 97
    g.create_dataset("contiguous", data=data)
    dcpl = h5p.create(h5p.DATASET_CREATE)
    dcpl.set_layout(h5d.COMPACT)
    d = h5py.Dataset(h5d.create(g.id, b"compact", h5t.STD_I32LE, h5s.create_simple((30, 20)), dcpl))
    d[...] = data
    filters = {
        "plain": {},
        "gzip": dict(compression="gzip", compression_opts=6),
        "gzip0": dict(compression="gzip", compression_opts=0),
        "shuffle_gzip": dict(compression="gzip", shuffle=True),
        "lzf": dict(compression="lzf"),
        "lzf_fletcher": dict(compression="lzf", shuffle=True, fletcher32=True),
        "fletcher": dict(fletcher32=True),
        "scaleoffset": dict(scaleoffset=0),
        "bitshuffle_lz4": dict(**hdf5plugin.Bitshuffle(cname="lz4")),
        "bitshuffle_none": dict(**hdf5plugin.Bitshuffle(cname="none")),
        "bitshuffle_zstd": dict(**hdf5plugin.Bitshuffle(cname="zstd", clevel=5)),
        "zstd": dict(**hdf5plugin.Zstd(clevel=7)),
    }
    if h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP) and h5py.h5z.get_filter_info(h5py.h5z.FILTER_SZIP) & h5py.h5z.FILTER_CONFIG_ENCODE_ENABLED:
        filters["szip"] = dict(compression="szip", compression_opts=("nn", 16))
        filters["szip_ec"] = dict(compression="szip", compression_opts=("ec", 8))
    for name, options in filters.items():
        g.create_dataset(name, data=data, chunks=(7, 8), **options)
    for dt in ("<f8", ">f8", "<c8", "u1"):
        g.create_dataset(f"bitshuffle_{dt[-2:]}_{dt[0] == '>'}", data=data.astype(dt), chunks=(16, 20), **hdf5plugin.Bitshuffle())
    dcpl = h5p.create(h5p.DATASET_CREATE)
    dcpl.set_chunk((7, 8))
    dcpl.set_filter(h5py.h5z.FILTER_NBIT, h5py.h5z.FLAG_OPTIONAL, ())
    d = h5py.Dataset(h5d.create(g.id, b"nbit", h5t.STD_I32LE, h5s.create_simple((30, 20)), dcpl))
    d[...] = data
    g.create_dataset("unlimited", data=data, maxshape=(None, None), chunks=(7, 8))
    g.create_dataset("limited", data=data, maxshape=(100, 20), chunks=(10, 10), compression="gzip")
    g.create_dataset("empty_growing", (0, 4), maxshape=(None, 4), dtype="<f4")
    g.create_dataset("text_gzip", data=["some", "text", "", "µ"], dtype=h5py.string_dtype(), chunks=(2,), compression="gzip")
    g.create_dataset("sparse", (1000, 1000), chunks=(100, 100), dtype="<i2", fillvalue=-5)[450:470, 3] = 9


def fills(file):
    g = file.create_group("fills")
    g.create_dataset("default", (3,), "<f8")
    g.create_dataset("int", (3,), "<i4", fillvalue=-7)
    g.create_dataset("int_be", (3,), ">i4", fillvalue=258)
    g.create_dataset("nan", (3,), "<f4", fillvalue=np.nan)
    g.create_dataset("zero", (3,), "<f4", fillvalue=0.0)
    g.create_dataset("complex", (2,), "<c16", fillvalue=1 - 2j)
    g.create_dataset("bool", (2,), bool, fillvalue=True)
    g.create_dataset("bytes", (3,), "S4", fillvalue=b"ab")
    dt = np.dtype([("a", "<i2"), ("b", "<f8")])
    g.create_dataset("compound", (2,), dt, fillvalue=np.array((3, 0.5), dt))
    dcpl = h5p.create(h5p.DATASET_CREATE)
    dcpl.set_fill_time(h5d.FILL_TIME_NEVER)
    h5py.Dataset(h5d.create(g.id, b"never", h5t.STD_I32LE, h5s.create_simple((2,)), dcpl))[...] = 1


def attributes(file):
    g = file.create_group("attributes")
    a = g.attrs
    a["str"], a["unicode"], a["empty_str"], a["bytes"] = "text", "Ångström 日本", "", np.bytes_(b"raw bytes")
    a["long_str"] = "x" * 20000
    a["bytes_scalar"] = b"python bytes"
    a["int"], a["float"], a["bool"], a["complex"] = 1, 0.5, True, 1 + 2j
    a["np_bool"], a["bools"] = np.bool_(False), np.array([True, False])
    a["list"], a["matrix"], a["strings"] = [1, 2, 3], np.arange(6).reshape(2, 3), ["a", "µ", ""]
    a["empty"], a["empty_text"], a["zero_length"] = h5py.Empty("f4"), h5py.Empty(h5py.string_dtype()), np.zeros((0, 2), "f4")
    a.create("enum", 1, dtype=h5py.enum_dtype({"A": 0, "B": 1}, "i1"))
    a.create("big_endian", [1, 2], dtype=">i4")
    a["compound"] = np.array([(1, 0.5), (2, 1.5)], dtype=[("a", "<i4"), ("b", "<f8")])
    a["name with / and . and ünï"] = 7
    vlen = np.empty(2, dtype=object)
    vlen[:] = [np.array([1, 2], "<i4"), np.array([], "<i4")]
    a.create("vlen", vlen, dtype=h5py.vlen_dtype("<i4"))
    a.create("ref", g.ref, dtype=h5py.ref_dtype)
    a.create("refs", np.array([g.ref, file.ref, h5py.Reference()], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
    many = file.create_group("many_attributes")
    for i in range(200):
        many.attrs[f"a{i:03}"] = i
    file.attrs["root"] = "attribute of the root"


def links(file):
    g = file.create_group("links")
    d = g.create_dataset("target", data=[1, 2, 3])
    g["hard"] = d
    g["circle"] = g
    g.create_group("sub")["up"] = file["/"]
    g["soft"] = h5py.SoftLink("/links/target")
    g["soft_relative"] = h5py.SoftLink("sub")
    g["dangling"] = h5py.SoftLink("/no/where")
    g["external"] = h5py.ExternalLink("other.h5", "/in/there")
    g["ünïcode"] = h5py.SoftLink("/ünï/code")
    g["datatype"] = np.dtype([("x", "<f8"), ("y", "<f8")])
    g["datatype"].attrs["about"] = "a point"
    for name in ("", " "):
        if name:
            g.create_group(name)


def references(file):
    g = file.create_group("references")
    grid = g.create_dataset("grid", data=np.arange(24, dtype="<i4").reshape(4, 6))
    scalar = g.create_dataset("scalar", data=1.5)
    targets = [g.ref, grid.ref, scalar.ref, file.ref, h5py.Reference()]
    g.create_dataset("objects", data=np.array(targets, dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
    spaces = []

    def space(*steps):
        sid = grid.id.get_space()
        for step in steps:
            step(sid)
        spaces.append(sid)

    space(lambda s: s.select_all())
    space(lambda s: s.select_none())
    space(lambda s: s.select_hyperslab((1, 2), (1, 1), block=(2, 3)))
    space(lambda s: s.select_hyperslab((0, 1), (2, 2), (2, 3), (1, 2)))
    space(lambda s: s.select_hyperslab((0, 0), (1, 3)), lambda s: s.select_hyperslab((2, 4), (2, 2), op=h5s.SELECT_OR))
    space(lambda s: s.select_hyperslab((0, 0), (4, 6)), lambda s: s.select_hyperslab((1, 1), (2, 4), op=h5s.SELECT_NOTB))
    space(lambda s: s.select_elements(np.array([(3, 5), (0, 0), (1, 2), (0, 0)])))
    space(lambda s: s.select_hyperslab((3, 5), (1, 1)))
    regions = [h5r.create(grid.id, b".", h5r.DATASET_REGION, s) for s in spaces] + [h5py.RegionReference()]
    g.create_dataset("regions", data=np.array(regions, dtype=h5py.regionref_dtype), dtype=h5py.regionref_dtype)
    g.create_dataset("regions_2d", data=np.array(regions[:6], dtype=h5py.regionref_dtype).reshape(2, 3), dtype=h5py.regionref_dtype)
    dt = np.dtype([("what", h5py.ref_dtype), ("n", "<i4"), ("part", h5py.regionref_dtype)])
    rows = np.empty(5, dt)
    for i in range(5):
        rows[i] = (targets[i], i, regions[i])
    g.create_dataset("rows", data=rows)
    lists = g.create_dataset("lists", (3,), dtype=h5py.vlen_dtype(h5py.ref_dtype))
    lists[0] = np.array(targets[:2], dtype=h5py.ref_dtype)
    lists[2] = np.array(targets[2:5], dtype=h5py.ref_dtype)
    g.attrs.create("region", regions[3], dtype=h5py.regionref_dtype)
    gone = g.create_dataset("gone", data=1)
    g.create_dataset("dangling", data=np.array([gone.ref], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)


def orders(file):
    g = file.create_group("tracked", track_order=True)
    for name in ("z", "a", "m", "b"):
        g.create_group(name)
        g.attrs[name] = name
    g.create_group("inner", track_order=True)["soft"] = h5py.SoftLink("/tracked/z")
    d = g.create_dataset("d", data=1, track_order=True)
    for name in ("z", "a", "m"):
        d.attrs[name] = 1
    for i in range(20):
        g[f"n{19 - i}"] = i


def large(file):
    file.attrs["large"] = np.arange(20000, dtype="<f8")
    file.attrs["larger"] = np.arange(300000, dtype="<u2")
    g = file.create_group("g")
    g.attrs["large"] = np.arange(9000, dtype="<i8")
    d = file.create_dataset("d", data=np.arange(10))
    d.attrs["large"] = np.array([b"x" * 100] * 1000)
    for i in range(100):
        g.create_group(f"child{i:02}")


def main():
    v110 = "--v110" in sys.argv
    with h5py.File(sys.argv[1], "w", libver=("v110", "v110") if v110 else ("earliest", "v110"), track_order=v110) as file:
        attributes(file)
        links(file)
        references(file)
        orders(file)
        layouts(file)
        fills(file)
        if v110:
            large(file)
        else:
            dtypes(file)
        del file["references/gone"]  # (the last, so that nothing else takes its place)


if __name__ == "__main__":
    main()
