"""What changes the hash of a description set, and what does not."""

from dataclasses import replace

import pytest

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.content_hash import hash_content, hash_with_all_settings
from laketag.pipeline.descriptions.lint import Description

ROWS = [Description("cat", -1, "a cat"), Description("cat", 0, "It purrs."), Description("dog", -1, "a dog")]


def test_the_same_content_has_the_same_hash_of_16_hex_characters():
    first, again = (hash_content(list(ROWS), DescriptionSettings(), "model") for _ in range(2))
    assert first == again
    assert len(first) == 16
    assert int(first, 16) >= 0


@pytest.mark.parametrize(
    ("base", "more"),
    [
        ({}, {"batch_size": 1}),
        ({}, {"drop_empty": False}),
        ({"drop_near_duplicates": False}, {"near_duplicate_cosine": 0.5}),
        ({}, {"closer_margin": 0.5}),
    ],
)
def test_a_setting_that_decides_nothing_does_not_change_the_hash(base, more):
    plain, changed = DescriptionSettings(**base), DescriptionSettings(**base, **more)
    assert hash_content(ROWS, changed, "m") == hash_content(ROWS, plain, "m")
    assert hash_with_all_settings(ROWS, plain, "m") == hash_content(ROWS, plain, "m")


@pytest.mark.parametrize(
    "change",
    [
        lambda: hash_content(ROWS[::-1], DescriptionSettings(), "model"),
        lambda: hash_content([replace(ROWS[0], text="A cat"), *ROWS[1:]], DescriptionSettings(), "model"),
        lambda: hash_content(
            [replace(ROWS[0], drop_reason="empty"), *ROWS[1:]], DescriptionSettings(), "model"
        ),
        lambda: hash_content(ROWS, DescriptionSettings(limit_per_class=3), "model"),
        lambda: hash_content(ROWS, DescriptionSettings(), "other model"),
    ],
)
def test_another_order_text_reason_setting_or_model_changes_the_hash(change):
    assert change() != hash_content(ROWS, DescriptionSettings(), "model")
