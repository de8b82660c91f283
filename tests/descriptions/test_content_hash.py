"""What changes the hash of a description set, and what does not."""

from dataclasses import replace

import pytest

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.content_hash import hash_content
from laketag.pipeline.descriptions.lint import Description

ROWS = [Description("cat", -1, "a cat"), Description("cat", 0, "It purrs."), Description("dog", -1, "a dog")]


def test_the_same_content_has_the_same_hash_of_16_hex_characters():
    first, again = (hash_content(list(ROWS), DescriptionSettings(), "model") for _ in range(2))
    assert first == again
    assert len(first) == 16
    assert int(first, 16) >= 0


def test_the_batch_size_does_not_change_the_hash():
    assert hash_content(ROWS, DescriptionSettings(batch_size=1), "m") == hash_content(
        ROWS, DescriptionSettings(), "m"
    )


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
