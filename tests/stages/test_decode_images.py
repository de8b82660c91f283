"""The stage keeps every row and its order, passes failures on, and replaces bytes by pixels and their sizes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.stages.decode_images import decode_images
from tests.images.decoding import encode, gradient, pixels

PNG = encode(gradient(), "PNG")
LARGE = encode(gradient(300, 200), "JPEG")
BOUNDS = DecodeSettings(short_side_px=100)
COLUMNS = {
    "image_id": pa.string(),
    "attempts": pa.int32(),
    "failure": pa.string(),
    "failure_detail": pa.string(),
    "rgb_u8": pa.large_binary(),
    "bounded_width_px": pa.int32(),
    "bounded_height_px": pa.int32(),
    "width_px": pa.int32(),
    "height_px": pa.int32(),
}


def decode_rows(*images: bytes | None) -> pa.Table:
    """The stage's rows for encoded images; None is a row that failed before."""
    batch = pa.table(
        {
            "image_id": pa.array([str(number) for number in range(len(images))], pa.string()),
            "data": pa.array(images, pa.large_binary()),
            "failure": pa.array([None if image is not None else "timeout" for image in images], pa.string()),
            "failure_detail": pa.array(["slow" if image is None else None for image in images], pa.string()),
            "attempts": pa.array([1] * len(images), pa.int32()),
        }
    )
    table = decode_images(batch, decode=BOUNDS)
    assert table["image_id"].equals(batch["image_id"])
    return table


@pytest.mark.parametrize("images", [(), (None, None), (PNG,)], ids=["empty", "all failed", "one"])
def test_the_columns_are_the_same_whatever_the_batch_holds(images: tuple[bytes | None, ...]) -> None:
    schema = decode_rows(*images).schema
    assert dict(zip(schema.names, schema.types, strict=True)) == COLUMNS


def test_earlier_failures_pass_through_and_new_ones_join_them() -> None:
    rows = decode_rows(PNG, None, b"", LARGE).to_pylist()
    assert [(row["failure"], row["failure_detail"]) for row in rows] == [
        (None, None),
        ("timeout", "slow"),
        ("empty", "zero bytes"),
        (None, None),
    ]
    assert [row["rgb_u8"] is None for row in rows] == [False, True, True, False]
    assert [row["width_px"] for row in rows] == [64, None, None, 300]


def test_pixels_lie_row_by_row_with_the_sizes_that_the_columns_say() -> None:
    small, large = decode_rows(PNG, LARGE).to_pylist()
    assert np.frombuffer(small["rgb_u8"], np.uint8).reshape(48, 64, 3).tolist() == gradient().tolist()
    assert (large["bounded_width_px"], large["bounded_height_px"], large["height_px"]) == (150, 100, 200)
    assert large["rgb_u8"] == pixels(LARGE, BOUNDS).tobytes()


def test_a_block_of_large_images_is_in_memory_in_parts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.stages.block_peak", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    grown_bytes, decoded = map(int, done.stdout.split())
    assert decoded == 16
    assert grown_bytes < 700_000_000  # their bytes alone are 960 MB
