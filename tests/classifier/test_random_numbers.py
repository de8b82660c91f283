import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.classifier.random_numbers import draw_uniforms, pick_integers, pick_patches


def test_draws_are_these_numbers_on_every_platform_and_numpy() -> None:
    assert draw_uniforms("image", 0, "raw crops", 3).tolist() == [
        0.6861322463306487,
        0.5319326646220647,
        0.7025590881639241,
    ]


def test_draws_depend_on_image_seed_and_kind_and_on_nothing_else() -> None:
    keys = [(i, s, k) for i in ("a", "b") for s in (0, 1) for k in ("raw crops", "feature crops")]
    firsts = {key: tuple(draw_uniforms(*key, 4)) for key in keys}
    assert len(set(firsts.values())) == len(keys)
    assert all(tuple(draw_uniforms(*key, 4)) == first for key, first in firsts.items())
    assert draw_uniforms("a", 0, "raw crops", 9)[:4].tolist() == list(firsts["a", 0, "raw crops"])


def test_patches_are_drawn_by_their_probability() -> None:
    uniforms = draw_uniforms("many", 0, "raw crops", 40_000)
    probabilities = np.array([0.5, 0.3, 0.2])
    picked = pick_patches(uniforms, np.array([9, 4, 7]), probabilities)
    shares = [float((picked == patch).mean()) for patch in (9, 4, 7)]
    assert shares == pytest.approx(probabilities.tolist(), abs=0.01)


def test_patches_that_swap_ranks_are_drawn_alike() -> None:
    uniforms = draw_uniforms("swap", 0, "raw crops", 200)
    one = pick_patches(uniforms, np.array([9, 4, 7]), np.array([0.4, 0.4, 0.2]))
    other = pick_patches(uniforms, np.array([4, 9, 7]), np.array([0.4, 0.4, 0.2]))
    assert one.tolist() == other.tolist()


@given(st.integers(-5, 5), st.integers(0, 4))
def test_integers_reach_both_ends_and_nothing_beyond(low: int, more: int) -> None:
    picked = pick_integers(draw_uniforms("ends", 0, "raw crops", 500), low, low + more)
    assert sorted(set(picked.tolist())) == list(range(low, low + more + 1))
