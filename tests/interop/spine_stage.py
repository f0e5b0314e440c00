"""Writes a stage to a cache with spine's own writer.

usage: spine_stage.py FILE STAGE EVENTS [mismatch]

The cache is of the source that the tests of stages use; with `mismatch` of another one, which spine has to refuse (it prints the error).
"""
import sys

import numpy as np


def main():
    from spine.io.write import StageHDF5Writer

    file, stage, events = sys.argv[1], sys.argv[2], int(sys.argv[3])
    size = 123456 + (len(sys.argv) > 4)
    index = np.arange(events)
    batch = {
        "index": index,
        "source_file_name": ["source.root"] * events,
        "source_file_size": np.full(events, size),
        "source_file_mtime_ns": np.full(events, 1700000000123456789),
        "file_index": np.zeros(events, dtype=np.int64),
        "file_entry_index": index,
        "theirs_tensor": [np.arange(4.0 * (i + 1)).reshape(-1, 4) for i in index],
        "theirs_lists": [[np.arange(j, dtype=np.int64) for j in range(i + 1)] for i in index],
        "theirs_label": [f"event {i}" for i in index],
    }
    with StageHDF5Writer(file_name=file, stage=stage) as writer:
        try:
            writer(batch, {"writer": "spine"})
        except RuntimeError as error:
            print(f"REFUSED {error}")
            sys.exit(0)
    print("WRITTEN")


if __name__ == "__main__":
    main()
