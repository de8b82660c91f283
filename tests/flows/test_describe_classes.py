"""``laketag describe`` with a real Ray and a tiny CLIP: file in, description table out."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from laketag.pipeline.config import BackboneSettings, DescriptionSettings, Settings
from laketag.pipeline.flows.describe_classes import DescribedSet, DescribeRequest, describe_classes
from laketag.pipeline.lake.description_versions import latest_embedded_set, list_versions
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.class_texts import load_class_texts
from laketag.pipeline.stages.description_files import DescriptionFile
from tests.models.tiny import save_local_dir
from tests.stores.store import Store

CUPL = {
    "hot_dog": ["A hot dog lies in a bun.", "Sausage with mustard on top.", "a HOT dog lies in a bun. "],
    "cat": ["A cat has whiskers.", "", "Unlike a hot dog, it purrs.", "long " * 90 + "."],
    "dog": ["A dog wags its tail."],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_local_dir(tmp_path_factory.mktemp("models") / "tiny")


def describe(store: Store, model: Path, texts=CUPL, set_name="food", **descriptions) -> DescribedSet:
    options = {"drop_near_duplicates": False, "batch_size": 3, **descriptions}  # several blocks, any order
    settings = Settings(
        backbone=BackboneSettings(pretrained=f"local-dir:{model}"),
        descriptions=DescriptionSettings(**options),
        storage=store.storage,
    )
    file = store.put("texts.json", json.dumps(texts).encode())
    lake = open_lake(store.root, store.storage)
    request = DescribeRequest(description_set=set_name, file=DescriptionFile(file))
    return describe_classes(lake, request, settings, Screen(Console(quiet=True)))


@pytest.mark.usefixtures("joined_ray")
def test_the_table_holds_every_text_kept_or_dropped_with_its_reason(moto, model):
    """In S3; the sets of all other tests are described in folders."""
    described = describe(moto, model)
    lake = open_lake(moto.root, moto.storage)
    rows = described.rows.select("class_name", "position", pl.col("drop_reason").cast(pl.String), "truncated")
    assert rows.rows() == [
        ("hot_dog", -1, None, False),
        ("hot_dog", 0, None, False),
        ("hot_dog", 1, None, False),
        ("hot_dog", 2, "exact_duplicate", False),
        ("cat", -1, None, False),
        ("cat", 0, None, False),
        ("cat", 1, "empty", False),
        ("cat", 2, "names_another_class", False),
        ("cat", 3, None, True),
        ("dog", -1, None, False),
        ("dog", 0, None, False),
    ]
    assert described.is_new
    assert described.dropped == {"empty": 1, "exact_duplicate": 1, "names_another_class": 1}
    texts = load_class_texts(lake, "food", described.version)
    assert texts.label_prompt_texts[0] == "a photo of a hot dog."
    spec = BackboneSpec(BackboneSettings(pretrained=f"local-dir:{model}"), moto.storage).resolved()
    expected = spec.load("cpu").encode_text(list(texts.descriptions))
    np.testing.assert_allclose(texts.embeddings.numpy(), expected.numpy(), atol=1e-6)
    made = latest_embedded_set(lake, "food")
    assert (made.backbone_sha256, made.label_prompt) == (spec.sha256, "a photo of a {}.")

    again = describe(moto, model, batch_size=100)
    assert not again.is_new
    assert again.version == described.version
    assert again.rows.equals(described.rows)
    assert list_versions(lake, "food") == [described.version]

    changed = CUPL | {"dog": ["A dog wags its tail.", "It barks."]}
    one_more = describe(moto, model, changed, set_name="pets")
    assert (one_more.is_new, one_more.embedded) == (True, 1)
    alone = spec.load("cpu").encode_text(["It barks."])[0].numpy()
    row = one_more.rows.row(by_predicate=pl.col("text") == "It barks.", named=True)
    np.testing.assert_allclose(row["embedding"], alone, atol=1e-6)
