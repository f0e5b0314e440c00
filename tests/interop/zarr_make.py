"""Makes stores with zarr-python, and a list of what is in them: zarr_make.py DIRECTORY

Each line of expected.jsonl is one array: store, path, shape, and its elements, as the hexadecimal bytes (little-endian, C order) or as texts.
"""
import json
import pathlib
import sys
import warnings

import numcodecs
import numpy as np
import zarr
import zarr.codecs as zc
import zarr.codecs.numcodecs as zn

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
lines = []


def note(store, path, values):
    values = np.asarray(values)
    line = {"store": store, "path": path, "shape": list(values.shape)}
    if values.dtype.kind in "OTU":
        line["texts"] = [str(v) for v in values.ravel()]
    else:
        little = values.dtype.newbyteorder("<") if values.dtype.kind != "V" else values.dtype
        line["hex"] = np.ascontiguousarray(values.astype(little)).tobytes().hex()
    lines.append(line)


rng = np.random.default_rng(1)
numbers = {
    name: (rng.integers(0, 100, (7, 5)) if np.dtype(name).kind in "iub" else rng.normal(size=(7, 5))).astype(name)
    for name in ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64", "complex64", "complex128"]
}
texts = np.array(["", "a", "Ångström", "日本語"], dtype=object)
times = np.array(["2020-01-01", "NaT", "1969-12-31T23:59:59"], dtype="M8[s]")
point = np.array([(1.5, -2, b"abc"), (0.0, 3, b"")], dtype=[("x", "<f8"), ("n", "<i2"), ("s", "S4")])

for version in (2, 3):
    for suffix in (".zarr", ".zarr.zip"):
        name = f"v{version}{suffix}"
        store = zarr.storage.ZipStore(out / name, mode="w") if suffix.endswith("zip") else out / name
        root = zarr.group(store=store, zarr_format=version)
        root.attrs.update({"text": "Ünï", "n": 3, "x": 0.5, "list": [1, 2, 3], "flags": [True, False], "nested": {"a": [1, None]}, "nan": float("nan")})
        group = root.create_group("numbers")

        def add(path, values, **kw):
            array = root.create_array(path, shape=values.shape, dtype=values.dtype, **kw)
            array[...] = values
            note(name, path, values)

        for dtype, values in numbers.items():
            add(f"numbers/{dtype}", values, chunks=(3, 2))
        add("big", numbers["float64"].astype(">f8"), chunks=(4, 5))
        add("fill", np.full((4, 4), 7, "int32"), chunks=(2, 2), fill_value=7)
        add("nanfill", np.full((3,), np.nan, "float32"), chunks=(2,), fill_value=np.nan)
        add("inffill", np.full((3,), np.inf, "float64"), chunks=(2,), fill_value=np.inf)
        add("minusfill", np.full((3,), -np.inf, "float16"), chunks=(2,), fill_value=-np.inf)
        add("complexfill", np.full((3,), 1 - 2j, "complex128"), chunks=(2,), fill_value=1 - 2j)
        add("scalar", np.array(2.5), chunks=())
        add("fixed", np.array([b"ab", b"abc", b""], dtype="S3"), chunks=(2,))
        add("unicode", np.array(["a", "日本", ""], dtype="<U4"), chunks=(2,))
        add("times", times, chunks=(2,))
        add("point", point, chunks=(1,))
        add("raw", np.array([b"\x01\x02\x03", b"\xff\x00\xfe"], dtype="V3"), chunks=(2,))
        strings = root.create_array("texts", shape=texts.shape, dtype=str, chunks=(3,))
        strings[...] = texts
        note(name, "texts", texts)
        data = numbers["int32"]
        if version == 2:
            codecs = {
                "zlib": numcodecs.Zlib(3),
                "gzip": numcodecs.GZip(5),
                "bz2": numcodecs.BZ2(1),
                "zstd": numcodecs.Zstd(3),
                "lz4": numcodecs.LZ4(),
                "none": None,
            }
            for cname in ("lz4", "lz4hc", "blosclz", "zlib", "zstd"):
                for shuffle in (0, 1, 2):
                    codecs[f"blosc_{cname}_{shuffle}"] = numcodecs.Blosc(cname=cname, clevel=5, shuffle=shuffle)
            for codec, compressor in codecs.items():
                add(f"codecs/{codec}", data, chunks=(4, 3), compressors=compressor)
            add("codecs/shuffle", data, chunks=(4, 3), filters=[numcodecs.Shuffle(4)], compressors=numcodecs.Zlib(1))
            add("codecs/fletcher32", data, chunks=(4, 3), filters=[numcodecs.Fletcher32()], compressors=None)
            texts_checked = root.create_array("texts_checked", shape=texts.shape, dtype=str, chunks=(3,), compressors=numcodecs.Fletcher32())
            texts_checked[...] = texts
            note(name, "texts_checked", texts)
            for key, values, delta in [
                ("delta", data, numcodecs.Delta(dtype="i4")),
                ("delta_narrow", data, numcodecs.Delta(dtype="i4", astype="i2")),
                ("delta_bytes", numbers["uint8"], numcodecs.Delta(dtype="u1")),
                # Of such floats differences and sums are exact.
                ("delta_floats", np.round(numbers["float64"] * 64) / 64, numcodecs.Delta(dtype="f8")),
            ]:
                add(f"codecs/{key}", values, chunks=(4, 3), filters=[delta], compressors=numcodecs.Zstd(1))
            add("order_f", data, chunks=(4, 3), order="F")
            add("slashes", data, chunks=(4, 3), chunk_key_encoding={"name": "v2", "separator": "/"})
        else:
            codecs = {
                "gzip": zc.GzipCodec(level=4),
                "zstd": zc.ZstdCodec(level=5),
                "zstd_checksum": zc.ZstdCodec(level=5, checksum=True),
                "crc32c": zc.Crc32cCodec(),
                "lz4": zn.LZ4(),
                "fletcher32": zn.Fletcher32(),
                "none": None,
            }
            for cname in ("lz4", "lz4hc", "blosclz", "zlib", "zstd"):
                for shuffle in ("noshuffle", "shuffle", "bitshuffle"):
                    codecs[f"blosc_{cname}_{shuffle}"] = zc.BloscCodec(typesize=4, cname=cname, clevel=5, shuffle=shuffle)
            for codec, compressor in codecs.items():
                add(f"codecs/{codec}", data, chunks=(4, 3), compressors=compressor)
            for key, codecs in [("texts_checked", [zn.Fletcher32()]), ("texts_packed_and_checked", [zc.ZstdCodec(), zn.Fletcher32()])]:
                checked = root.create_array(key, shape=texts.shape, dtype=str, chunks=(3,), compressors=codecs)
                checked[...] = texts
                note(name, key, texts)
            add("codecs/delta", data, chunks=(4, 3), filters=[zn.Delta(dtype="i4")])
            add("sharded_checked", data, chunks=(3, 3), shards=(6, 6), compressors=[zc.ZstdCodec(), zn.Fletcher32()])
            add("sharded_start", data, chunks=(2, 2), shards={"shape": (4, 4), "index_location": "start"}, fill_value=3)
            add("sharded_floats", numbers["float32"].astype(">f4"), chunks=(2, 5), shards=(4, 10), fill_value=np.nan)
            add("named", data, chunks=(4, 3), dimension_names=["time", None])
            add("sharded", data, chunks=(2, 2), shards=(4, 4), compressors=zc.ZstdCodec())
            add("transposed", data, chunks=(4, 3), filters=[zc.TransposeCodec(order=(1, 0))])
            add("dots", data, chunks=(4, 3), chunk_key_encoding={"name": "default", "separator": "."})
            add("v2_keys", data, chunks=(4, 3), chunk_key_encoding={"name": "v2", "separator": "."})
        if suffix.endswith("zip"):
            store.close()

with open(out / "expected.jsonl", "w") as f:
    for line in lines:
        f.write(json.dumps(line) + "\n")
