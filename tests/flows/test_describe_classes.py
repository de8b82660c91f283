"""``laketag describe`` with a real Ray and a tiny CLIP: file in, description table out."""

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from laketag.pipeline.config import BackboneSettings, DescriptionSettings, Settings
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.describe_classes import DescribedSet, describe_classes, filter_embedded, read_file
from laketag.pipeline.lake.description_versions import latest_embedded_set, list_versions
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.stages.class_texts import load_class_texts
from tests.models.tiny import save_local_dir
from tests.stores.store import Store, folder_store

CUPL = {
    "hot_dog": ["A hot dog lies in a bun.", "Sausage with mustard on top.", "a HOT dog lies in a bun. "],
    "cat": ["A cat has whiskers.", "", "Unlike a hot dog, it purrs.", "long " * 90 + "."],
    "dog": ["A dog wags its tail."],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_local_dir(tmp_path_factory.mktemp("models") / "tiny")


def describe(store: Store, model: Path, **descriptions) -> DescribedSet:
    options = {"drop_near_duplicates": False, "batch_size": 3, **descriptions}  # several blocks, any order
    settings = Settings(
        backbone=BackboneSettings(pretrained=f"local-dir:{model}"),
        descriptions=DescriptionSettings(**options),
        storage=store.storage,
    )
    file = store.put("texts.json", json.dumps(CUPL).encode())
    lake = open_lake(store.root, store.storage)
    return describe_classes(lake, file, "food", settings, Console(file=io.StringIO()))


@pytest.mark.usefixtures("joined_ray")
@pytest.mark.parametrize(
    "kind", ["folder", "moto"]
)  # Ceph: tests/storage writes and reads the same table there
def test_the_table_holds_every_text_kept_or_dropped_with_its_reason(kind, model, request, tmp_path):
    store = folder_store(tmp_path) if kind == "folder" else request.getfixturevalue(kind)
    described = describe(store, model)
    lake = open_lake(store.root, store.storage)
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
    spec = BackboneSpec(BackboneSettings(pretrained=f"local-dir:{model}"), store.storage).resolved()
    expected = spec.load("cpu").encode_text(list(texts.descriptions))
    np.testing.assert_allclose(texts.embeddings.numpy(), expected.numpy(), atol=1e-6)
    made = latest_embedded_set(lake, "food")
    assert (made.backbone_sha256, made.label_prompt) == (spec.sha256, "a photo of a {}.")

    again = describe(store, model, batch_size=100)
    assert not again.is_new
    assert again.version == described.version
    assert again.rows.equals(described.rows)
    assert list_versions(lake, "food") == [described.version]


def embedded(*rows: tuple[str, int, str | None, list[float] | None]) -> pl.DataFrame:
    """Rows as they come from the actors: class, position, reason, embedding."""
    columns = ("class_name", "position", "drop_reason", "embedding")
    schema = {"class_name": pl.String, "position": pl.Int32, "drop_reason": pl.String}
    frame = pl.DataFrame(rows, schema={**schema, "embedding": pl.List(pl.Float32)}, orient="row")
    assert tuple(frame.columns) == columns
    return frame.with_columns(text=pl.lit("a text"), tokens=pl.lit(4, pl.Int32), truncated=pl.lit(False))


def test_reasons_that_embeddings_tell_are_put_on_the_right_rows():
    rows = embedded(
        ("cat", -1, None, [1.0, 0.0]),
        ("cat", 0, "empty", None),
        ("cat", 1, None, [0.0, 1.0]),
        ("cat", 2, "names_another_class", None),
        ("cat", 3, None, [0.0, 1.0]),
        ("cat", 4, None, [0.6, 0.8]),
        ("cat", 5, None, [0.8, 0.6]),
        ("dog", -1, None, [0.0, 1.0]),
        ("dog", 0, None, [0.0, 1.0]),
    )
    filtered = filter_embedded(rows, DescriptionSettings(limit_per_class=2))
    assert filtered["drop_reason"].to_list() == [
        None,
        "empty",
        None,
        "names_another_class",
        "near_duplicate",
        None,
        "over_limit",
        None,
        None,
    ]
    closer = filter_embedded(rows, DescriptionSettings(drop_closer_to_another_class=True))
    assert closer["drop_reason"].to_list()[2:7:2] == ["closer_to_another_class"] * 2 + [None]


def test_filtering_needs_no_text_to_be_left():
    rows = embedded(("cat", -1, None, [1.0, 0.0]), ("cat", 0, "empty", None))
    assert filter_embedded(rows, DescriptionSettings())["drop_reason"].to_list() == [None, "empty"]


def test_names_templates_csv_and_parquet_say_the_same(tmp_path):
    frame = pl.DataFrame(
        {"class": ["cat", "hot_dog"], "text": ["a photo of a cat.", "a photo of a hot dog."]}
    )
    (tmp_path / "a.txt").write_text("cat\nhot_dog\n")
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text('["a photo of a {}."]')
    names = str(tmp_path / "a.txt")
    expected = {"cat": ("a photo of a cat.",), "hot_dog": ("a photo of a hot dog.",)}
    for suffix, known in {"txt": "names", "csv": "csv", "parquet": "parquet", "json": "clip-e"}.items():
        file = str(tmp_path / f"a.{suffix}")
        sentences, detected = read_file(file, Settings(), None, names if suffix == "json" else None)
        assert (detected.format, sentences) == (known, expected)


def test_names_of_classes_go_with_templates_only(tmp_path):
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    names = str(tmp_path / "names.txt")
    with pytest.raises(InputError, match="--classes goes with a list of templates"):
        read_file(names, Settings(), None, names)
