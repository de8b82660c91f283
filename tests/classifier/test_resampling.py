import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from laketag.pipeline.classifier.resampling import HALF_BITS, SPLIT_TAPS, filter_split, filter_whole, taps


@settings(max_examples=30, derandomize=True)
@given(
    length=st.integers(1, 400),
    resized=st.integers(1, 64),
    interpolation=st.sampled_from(["bicubic", "bilinear"]),
)
def test_two_products_in_float32_round_as_one_in_float64(
    length: int, resized: int, interpolation: str
) -> None:
    start, coefficients = taps(length, resized, 0, resized, interpolation)
    if coefficients.shape[1] > SPLIT_TAPS:
        return
    matrix = np.zeros((1, resized, length), dtype=np.int64)
    for row, (first, values) in enumerate(zip(start, coefficients, strict=True)):
        stop = min(first + len(values), length)
        matrix[0, row, first:stop] = values[: stop - first]
    rng = np.random.default_rng(length)
    levels = torch.from_numpy(rng.choice([0, 1, 127, 254, 255], (1, length, 6)).astype(np.uint8))
    dense = torch.from_numpy(matrix)
    assert torch.equal(filter_split(dense, levels), filter_whole(dense, levels))


def test_no_sum_of_the_lower_parts_leaves_what_float32_holds() -> None:
    assert SPLIT_TAPS * 255 * (2**HALF_BITS - 1) < 2**24
