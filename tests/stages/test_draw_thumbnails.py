import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from laketag.pipeline.stages.draw_thumbnails import draw_thumbnails, draw_webp


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((400, 200), (100, 50)), ((20_000, 10), (100, 1)), ((30, 60), (30, 60)), ((1, 1), (1, 1))],
)
def test_a_large_picture_is_shrunk_and_a_small_one_stays(
    size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    rgb = np.full((size[1], size[0], 3), (200, 40, 90), np.uint8)
    picture = Image.open(io.BytesIO(draw_webp(rgb, 100)))
    assert (picture.format, picture.size) == ("WEBP", drawn)
    assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - (200, 40, 90)).max() < 12


def test_a_failed_row_keeps_its_failure_and_has_no_picture() -> None:
    batch = pa.table(
        {
            "image_id": ["a", "b"],
            "failure": [None, "not_found"],
            "failure_detail": [None, "gone"],
            "rgb_u8": pa.array([bytes(12), None], pa.large_binary()),
            "bounded_width_px": [2, None],
            "bounded_height_px": [2, None],
        }
    )
    good, bad = draw_thumbnails(batch, longest_px=8).to_pylist()
    assert good["webp"][:4] == b"RIFF"
    assert bad == {"image_id": "b", "failure": "not_found", "failure_detail": "gone", "webp": None}
