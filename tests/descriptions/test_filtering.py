"""Drop reasons that need embeddings, compared with plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.filtering import choose_kept

NAMES_FIRST = DescriptionSettings()


def unit(*angles_degrees: float) -> np.ndarray:
    radians = np.radians(angles_degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def choose(classes: list[int], texts: np.ndarray, prompts: np.ndarray, **settings):
    return choose_kept(np.array(classes), texts, prompts, DescriptionSettings(**settings))


def test_the_first_of_near_duplicates_wins_and_what_is_dropped_drops_nothing():
    # 8 degrees are a cosine of 0.9903, 16 of 0.9613: the third is near the second, which is not kept
    assert choose([0, 0, 0], unit(0, 7, 14), unit(0, 90)) == [None, "near_duplicate", None]


def test_near_duplicates_count_within_a_class_only():
    assert choose([0, 1, 0], unit(0, 0, 0), unit(0, 90)) == [None, None, "near_duplicate"]


def test_near_duplicates_are_kept_when_switched_off():
    assert choose([0, 0], unit(0, 0), unit(0, 90), drop_near_duplicates=False) == [None, None]


def test_the_limit_counts_what_the_other_filters_keep():
    reasons = choose([0, 0, 0, 0], unit(0, 1, 30, 60), unit(0, 90), limit_per_class=2)
    assert reasons == [None, "near_duplicate", None, "over_limit"]


def test_closer_to_another_class_is_off_by_default_and_needs_more_than_the_margin():
    texts, prompts = unit(10, 80), unit(0, 90)
    assert choose([0, 0], texts, prompts) == [None, None]
    assert choose([0, 0], texts, prompts, drop_closer_to_another_class=True) == [
        None,
        "closer_to_another_class",
    ]
    wide = choose([0, 0], texts, prompts, drop_closer_to_another_class=True, closer_margin=1.0)
    assert wide == [None, None]


@given(
    classes=st.lists(st.integers(0, 2), max_size=25),
    limit=st.integers(1, 4),
    near=st.booleans(),
    closer=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_the_choice_agrees_with_plain_loops(classes, limit, near, closer, seed):
    random = np.random.default_rng(seed)
    texts = unit(*random.integers(0, 20, len(classes)) * 5.0) if classes else np.empty((0, 2), np.float32)
    prompts = unit(0, 50, 100)
    settings = DescriptionSettings(
        drop_near_duplicates=near,
        drop_closer_to_another_class=closer,
        limit_per_class=limit,
        near_duplicate_cosine=0.995,
    )
    kept: list[tuple[int, np.ndarray]] = []
    expected: list[str | None] = []
    for own, text in zip(classes, texts, strict=True):
        cosines = [float(np.dot(text, prompt)) for prompt in prompts]
        same = [other for other_class, other in kept if other_class == own]
        if closer and any(cosines[c] > cosines[own] for c in range(3) if c != own):
            expected.append("closer_to_another_class")
        elif near and any(np.dot(text, other) >= 0.995 for other in same):
            expected.append("near_duplicate")
        elif len(same) == limit:
            expected.append("over_limit")
        else:
            expected.append(None)
            kept.append((own, text))
    assert choose_kept(np.array(classes, np.int64), texts, prompts, settings) == expected
