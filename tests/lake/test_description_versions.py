"""Versions of description sets: which is newest, what it holds, what the classifier gets."""

import numpy as np
import polars as pl
import pytest
import torch

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.description_versions import (
    DescribedWith,
    description_url,
    find_same_content,
    latest_version,
    list_versions,
    read_described_with,
    version_hash,
    write_descriptions,
)
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.stages.class_texts import load_class_texts
from laketag.schemas import Descriptions
from tests.stores.store import Store

MADE = DescribedWith(backbone="tiny", backbone_sha256="0" * 64, label_prompt="a {}", created_at="2026-11-23")
ROWS = [
    ("dog", -1, "a dog", None),
    ("dog", 0, "It barks.", None),
    ("dog", 1, "", "empty"),
    ("dog", 2, "It runs.", None),
    ("cat", -1, "a cat", None),
    ("cat", 0, "It purrs.", None),
]


def frame() -> pl.DataFrame:
    vectors = np.eye(len(ROWS), dtype=np.float32)
    rows = [
        {
            "class_name": name,
            "position": position,
            "text": text,
            "tokens": 5,
            "truncated": False,
            "drop_reason": reason,
            "embedding": None if reason else vectors[number].tolist(),
        }
        for number, (name, position, text, reason) in enumerate(ROWS)
    ]
    return Descriptions.validate(pl.DataFrame(rows, schema=Descriptions.create_empty().schema))


def write(lake: Lake, content_hash: str, set_name: str = "pets") -> str:
    return write_descriptions(lake, set_name, content_hash, frame(), MADE.as_metadata())


@pytest.fixture
def lake(tmp_path) -> Lake:
    return open_lake(str(tmp_path), StorageSettings())


def test_the_classifier_gets_what_is_kept_in_the_order_of_the_table(store: Store):
    lake = open_lake(store.root, store.storage)
    version = write(lake, "a" * 16)
    texts = load_class_texts(lake, "pets", version)
    assert texts.class_names == ("dog", "cat")
    assert texts.descriptions == ("It barks.", "It runs.", "It purrs.")
    assert texts.class_index.tolist() == [0, 0, 1]
    assert texts.label_prompt_texts == ("a dog", "a cat")
    assert torch.equal(texts.embeddings, torch.eye(6)[[1, 3, 5]])
    assert torch.equal(texts.label_prompts, torch.eye(6)[[0, 4]])
    assert read_described_with(lake, "pets", version) == MADE
    assert latest_version(lake, "pets") == version


def test_the_newest_version_sorts_last_and_is_the_only_one_to_be_the_same(lake):
    old, new = write(lake, "f" * 16), write(lake, "a" * 16)
    assert list_versions(lake, "pets") == [old, new]
    assert latest_version(lake, "pets") == new
    assert version_hash(new) == "a" * 16
    assert find_same_content(lake, "pets", "a" * 16) == new
    assert find_same_content(lake, "pets", "f" * 16) is None
    assert find_same_content(lake, "none", "f" * 16) is None


def test_a_version_without_its_file_is_none(lake, tmp_path):
    version = write(lake, "a" * 16)
    (tmp_path / "descriptions" / "set=pets" / "version=99990101T000000.000000Z-killed").mkdir()
    assert latest_version(lake, "pets") == version


def test_an_unknown_set_is_refused_with_the_sets_there_are(lake):
    with pytest.raises(InputError, match="no description set 'pets'; write one with: laketag describe"):
        latest_version(lake, "pets")
    write(lake, "a" * 16, "animals")
    with pytest.raises(InputError, match="it has animals;"):
        latest_version(lake, "pets")


def test_a_file_that_was_not_made_by_describe_is_refused(lake):
    version = write_descriptions(lake, "pets", "b" * 16, frame(), {})
    with pytest.raises(InputError, match="its footer lacks backbone"):
        read_described_with(lake, "pets", version)
    assert description_url(lake, "pets", version).endswith("/descriptions.parquet")
