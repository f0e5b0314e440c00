"""Joins what the benches and their peers print (question<TAB>seconds<TAB>note) to one table of medians and ratios."""

import pathlib
import statistics
import sys

SIZES = ["1000 events of 100 voxels", "10000 events of 100 voxels", "1000 events of 5000 voxels"]

TARGETS = {
    **{f"write {size}": 20.0 for size in SIZES},
    **{f"read {size}": 20.0 for size in SIZES},
    **{f"write {size}, bulk, version {v}": 0.5 for size in SIZES for v in (1, 2)},
    **{f"read {size}, bulk, version {v}": 1.0 for size in SIZES for v in (1, 2)},
    "npy append 100 rows x 500": 10.0,
    "npy append 100000 rows x 100": 10.0,
    "hdf5 append 100 rows x 500": 5.0,
    "hdf5 append 100000 rows x 100": 2.0,
    "zarr append 100 rows x 500": 3.0,
    "zarr append 100000 rows x 100": 3.0,
    "zarr save 256 MiB": 3.0,
    "zarr load 256 MiB": 3.0,
    **{f"append {rows}, {how}": 3.0 for rows in ("100 rows x 500", "100000 rows x 100") for how in ("defaults", "chunks of 1 MiB", "chunks of a batch, zstd", "chunks of a batch, zstd, noise")},
    **{f"{what} 256 MiB{how}": 3.0 for what in ("save", "load") for how in ("", ", zstd", ", zstd, noise")},
    "save 1 GiB": 1.0,
    "load 1 GiB": 1.0,
    "save 10^4 datasets": 2.0,
    "load 10^4 datasets": 2.0,
    "read 10^5 indices": 20.0,
    "read [::16]": 1.0,
    "lookup_100k_against_dict": 1.0,
    **dict.fromkeys(
        [
            "create_100k_datasets",
            "lookup_100k_datasets",
            "lookup_100k_through_trait",
            "iterate_100k_names",
            "iterate_100k_datasets",
            "set_100k_attributes",
            "get_100k_attributes",
            "iterate_100k_attributes",
        ],
        100.0,
    ),
}


def medians(path):
    table = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        question, value, note = line.split("\t")
        table.setdefault((question, note if question == "ratio" else ""), ([], note))[0].append(float(value))
    return {key: (statistics.median(values), note) for key, (values, note) in table.items()}


print("| question | ours | peer | peer / ours | wanted | note |\n| --- | --- | --- | --- | --- | --- |")
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.ours")):
    peers = medians(path.with_suffix(".peer"))
    for (question, extra), (ours, note) in medians(path).items():
        if question == "ratio":
            print(f"| ratio | | | {ours:.2f} | | {note} |")
            continue
        peer = peers.get((question, extra))
        ratio, seconds = (f"{peer[0] / ours:.2f}", f"{peer[0]:.6f} s") if peer else ("", "")
        print(f"| {question} | {ours:.6f} s | {seconds} | {ratio} | {TARGETS.get(question, '')} | {note} |")
