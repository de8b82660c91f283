"""Fetches and decodes a block of 16 images of 60 MB and prints by how many bytes the process has grown: FOLDER."""

import sys
from pathlib import Path

import pyarrow as pa

from laketag.pipeline.config import DecodeSettings, FetchSettings, StorageSettings
from laketag.pipeline.stages.decode_images import decode_in_parts
from laketag.pipeline.stages.fetch_images import fetch_in_parts
from tests.peak_resident import peak_resident_bytes

SIDE_PX = 4472
header = b"P6 %d %d 255\n" % (SIDE_PX, SIDE_PX)
files = [Path(sys.argv[1]) / f"{number}.ppm" for number in range(16)]
files[0].write_bytes(header + bytes(SIDE_PX * SIDE_PX * 3))
for file in files[1:]:
    file.hardlink_to(files[0])
block = pa.table(
    {
        "image_id": [file.stem for file in files],
        "uri": [str(file) for file in files],
        "etag": ["unknown"] * len(files),
        "size_bytes": pa.array([file.stat().st_size for file in files], pa.int64()),
    }
)
before_bytes = peak_resident_bytes()
decoded = []
for fetched in fetch_in_parts(block, fetch=FetchSettings(), storage=StorageSettings()):
    decoded += decode_in_parts(fetched, decode=DecodeSettings())
grown_bytes = peak_resident_bytes() - before_bytes
print(grown_bytes, sum(part.num_rows - part["rgb_u8"].null_count for part in decoded))
