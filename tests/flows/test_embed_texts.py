"""How texts are grouped for the text tower; tests/flows/test_describe_classes.py embeds them."""

import itertools

import polars as pl

from laketag.pipeline.flows.embed_texts import blocks_of_equal_length


def test_blocks_hold_texts_of_about_equal_length_and_every_text_once() -> None:
    texts = [f"{'word ' * (number * 7 % 20)}{number}" for number in range(100)]
    blocks = blocks_of_equal_length(pl.DataFrame({"text": texts}), 10)
    assert sorted(pl.concat(blocks)["text"]) == sorted(texts)
    ranges = sorted(
        (block["text"].str.len_chars().min(), block["text"].str.len_chars().max()) for block in blocks
    )
    assert all(longest <= shortest for (_, longest), (shortest, _) in itertools.pairwise(ranges))
    assert [block["text"][0] for block in blocks] != sorted(block["text"][0] for block in blocks)
