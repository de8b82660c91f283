import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.classifier.class_texts import padded_positions
from laketag.pipeline.errors import InputError
from tests.classifier.scenes import random_texts


def test_texts_of_another_backbone_are_refused() -> None:
    with pytest.raises(InputError, match=r"embedded in 32 dimensions, but the backbone has 8"):
        random_texts().check(8)


@given(class_of=st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_padded_positions_list_each_classs_texts_in_order(class_of: list[int]) -> None:
    padded = padded_positions(torch.tensor(class_of), 5).tolist()
    for index, positions in enumerate(padded):
        assert [p for p in positions if p >= 0] == [p for p, own in enumerate(class_of) if own == index]
