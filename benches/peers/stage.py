"""The questions of stage.rs, answered by plain h5py (the same arrays, one dataset each, in bulk) and, where it is installed, by spine.

One line per question: its name, the seconds (median), a note. spine's writer and reader need about 15 ms per event, so they are asked once. MEMH5_BENCH_ONLY, a part of a name, leaves
the other questions out.
"""

import os
import statistics
import tempfile
import time

import h5py
import numpy as np

PATH = os.path.join(os.environ.get("MEMH5_BENCH_DIR", tempfile.gettempdir()), f"h5py-bench-stage-{os.getpid()}.h5")


def measure(question, work, note, repeats):
    if os.environ.get("MEMH5_BENCH_ONLY", "") not in question:
        return
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
        del result
    print(f"{question}\t{statistics.median(times):.6f}\t{note}", flush=True)


def arrays(events, voxels):
    def floats(rows, width):
        return np.arange(rows * width, dtype=np.float32).reshape(rows, width)

    return {
        "voxels": floats(events * voxels, 5),
        "labels": np.arange(events * voxels),
        "groups": np.arange(events * voxels),
        "clusters": np.arange(events * voxels),
        "edges": np.arange(events * 400).reshape(-1, 2),
        "edge_features": floats(events * 200, 19),
        "node_features": floats(events * 30, 16),
        "loss": np.arange(events, dtype=float),
        "index": np.arange(events),
    }


def write_bulk(data):
    with h5py.File(PATH, "w") as f:
        for name, values in data.items():
            rows = min(16384, len(values))
            f.create_dataset(name, data=values, chunks=(rows,) + values.shape[1:], maxshape=(None,) + values.shape[1:])


def read_bulk():
    with h5py.File(PATH) as f:
        return {name: f[name][()] for name in f}


def batch_of(data, first, events, voxels):
    per = voxels // 30
    rows = {"edges": 200, "edge_features": 200, "node_features": 30}
    out = {
        "index": np.arange(first, first + events),
        "loss": data["loss"][:events],
        "source_file_name": ["source.root"] * events,
        "source_file_size": np.ones(events, dtype=np.int64),
        "source_file_mtime_ns": np.ones(events, dtype=np.int64),
    }
    for name in ("voxels", "labels", "groups", "edges", "edge_features", "node_features"):
        n = rows.get(name, voxels)
        out[name] = [data[name][e * n : (e + 1) * n] for e in range(events)]
    clusters = [data["clusters"][e * voxels : (e + 1) * voxels] for e in range(events)]
    out["clusters"] = [[c[i * per : (i + 1) * per if i < 29 else voxels] for i in range(30)] for c in clusters]
    return out


def write_spine(data, events, voxels):
    from spine.io.write import StageHDF5Writer

    if os.path.exists(PATH):
        os.remove(PATH)
    with StageHDF5Writer(file_name=PATH, stage="bench") as writer:
        for first in range(0, events, 500):
            writer(batch_of(data, first, 500, voxels))


def read_spine():
    from spine.io.read import StageHDF5Reader

    reader = StageHDF5Reader(file_keys=PATH, stage="bench")
    for entry in range(len(reader)):
        reader[entry]
    reader.close()


def main():
    try:
        import spine.io.write  # noqa: F401

        spine = True
    except ImportError:
        spine = False
    for events, voxels, repeats in [(1_000, 100, 5), (10_000, 100, 3), (1_000, 5_000, 3)]:
        data = arrays(events, voxels)
        for label in ("version 1", "version 2"):
            measure(f"write {events} events of {voxels} voxels, bulk, {label}", lambda: write_bulk(data), "h5py", repeats)
            measure(f"read {events} events of {voxels} voxels, bulk, {label}", read_bulk, "h5py", repeats)
        if spine:
            few = arrays(500, voxels)
            measure(f"write {events} events of {voxels} voxels", lambda: write_spine(few, events, voxels), "spine", 1)
            measure(f"read {events} events of {voxels} voxels", read_spine, "spine", 1)
    if os.path.exists(PATH):
        os.remove(PATH)


if __name__ == "__main__":
    main()
