from pathlib import Path

import polars as pl
import pytest
import torch

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.description_versions import write_descriptions
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.stages.class_texts import load_class_texts
from tests.lake.pets import pets_frame, write_pets
from tests.stores.store import Store


def test_the_classifier_gets_what_is_kept_in_the_order_of_the_table(store: Store) -> None:
    lake = open_lake(store.root, store.storage)
    texts = load_class_texts(lake, "pets", write_pets(lake, "a" * 16).version)
    assert texts.class_names == ("dog", "cat")
    assert texts.descriptions == ("It barks.", "It runs.", "It purrs.")
    assert texts.class_index.tolist() == [0, 0, 1]
    assert texts.label_prompt_texts == ("a dog", "a cat")
    assert torch.equal(texts.embeddings, torch.eye(6)[[1, 3, 5]])
    assert torch.equal(texts.label_prompts, torch.eye(6)[[0, 4]])


def test_descriptions_of_a_class_without_a_label_prompt_are_refused(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    made = write_pets(lake, "a" * 16)
    write_descriptions(lake, made, pets_frame().filter(pl.col("text") != "a cat"), "tower")
    with pytest.raises(InputError, match="no label prompt for cat; describe the set again"):
        load_class_texts(lake, "pets", made.version)
