"""``laketag describe`` with a real Ray and a tiny CLIP: file in, description table out."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from pipeline.config import BackboneSettings, DescriptionSettings, Settings, StorageSettings
from pipeline.errors import InputError
from pipeline.flows.describe_classes import DescribedSet, describe_classes, filter_embedded
from pipeline.lake import open_lake
from pipeline.models.backbone_spec import BackboneSpec
from pipeline.ray_runtime import ray_runtime
from pipeline.storage.descriptions import list_versions, load_class_texts, read_described_with
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


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    with ray_runtime():
        yield


def settings(model: Path, storage: StorageSettings, **descriptions) -> Settings:
    options = {"drop_near_duplicates": False, "batch_size": 3, **descriptions}  # several blocks, any order
    return Settings(
        backbone=BackboneSettings(pretrained=f"local-dir:{model}"),
        descriptions=DescriptionSettings(**options),
        storage=storage,
    )


def describe(
    store: Store, model: Path, content: object = CUPL, name: str = "texts.json", **options
) -> DescribedSet:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    classes = {"classes_file": options.pop("classes_file")} if "classes_file" in options else {}
    chosen = settings(model, store.storage, **options)
    lake = open_lake(store.root, store.storage)
    return describe_classes(
        lake, store.put(name, data), "food", chosen, Console(file=io.StringIO()), **classes
    )


def test_the_table_holds_every_text_kept_or_dropped_with_its_reason(store: Store, model):
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
    spec = BackboneSpec(settings(model, store.storage).backbone, store.storage).resolved()
    expected = spec.load("cpu").encode_text(list(texts.descriptions))
    np.testing.assert_allclose(texts.embeddings.numpy(), expected.numpy(), atol=1e-6)
    made = read_described_with(lake, "food", described.version)
    assert (made.backbone_sha256, made.label_prompt) == (spec.sha256, "a photo of a {}.")

    again = describe(store, model)
    assert not again.is_new
    assert again.version == described.version
    assert again.rows.equals(described.rows)
    assert list_versions(lake, "food") == [described.version]


@pytest.fixture
def folder(tmp_path) -> Store:
    return Store("folder", str(tmp_path))


def test_a_setting_that_matters_makes_a_new_version_and_one_that_does_not_makes_none(folder, model):
    first = describe(folder, model)
    assert not describe(folder, model, batch_size=100).is_new
    other = describe(folder, model, limit_per_class=1)
    assert other.is_new
    assert other.version > first.version
    assert other.dropped["over_limit"] == 2
    assert describe(folder, model).is_new  # the newest version is another one


def test_near_duplicates_and_the_limit_follow_from_the_embeddings(folder, model):
    described = describe(folder, model, drop_near_duplicates=True, near_duplicate_cosine=0.5)
    kept: dict[str, list[np.ndarray]] = {}
    for name, reason, vector in described.texts.select("class_name", "drop_reason", "embedding").iter_rows():
        if vector is None:
            continue
        near = any(np.dot(vector, other) >= 0.5 for other in kept.setdefault(name, []))
        assert (reason == "near_duplicate") == near
        if not near:
            kept[name].append(np.array(vector))


def test_names_templates_csv_and_parquet_make_the_same_table(folder, model, tmp_path):
    (tmp_path / "names.txt").write_text("cat\nhot_dog\n")
    frame = pl.DataFrame(
        {"class": ["cat", "hot_dog"], "text": ["a photo of a cat.", "a photo of a hot dog."]}
    )
    parquet = io.BytesIO()
    frame.write_parquet(parquet)
    sources = {
        "texts.txt": b"cat\nhot_dog\n",
        "texts.csv": frame.write_csv().encode(),
        "texts.parquet": parquet.getvalue(),
    }
    found = [describe(folder, model, content, name) for name, content in sources.items()]
    templates = ["a photo of a {}."]
    found.append(describe(folder, model, templates, classes_file=str(tmp_path / "names.txt")))
    assert [one.detected.format for one in found] == ["names", "csv", "parquet", "clip-e"]
    assert [one.is_new for one in found] == [True, False, False, False]  # the same content


def test_a_class_left_without_a_description_by_its_embeddings_is_refused(folder, model):
    with pytest.raises(InputError, match=r"class .* has no description left \(.* closer_to_another_class"):
        describe(
            folder,
            model,
            {"cat": ["A dog photo of a dog."], "dog": ["A photo of a cat.", "A dog wags."]},
            drop_names_another_class=False,
            drop_closer_to_another_class=True,
        )
    assert list_versions(open_lake(folder.root, folder.storage), "food") == []


def test_names_of_classes_go_with_templates_only(folder, model, tmp_path):
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    with pytest.raises(InputError, match="--classes goes with a list of templates"):
        describe(folder, model, classes_file=str(tmp_path / "names.txt"))


def test_filtering_needs_no_text_to_be_left(model):
    rows = pl.DataFrame(
        {
            "class_name": ["cat", "cat"],
            "position": [-1, 0],
            "text": ["a cat", ""],
            "drop_reason": [None, "empty"],
            "tokens": [4, 2],
            "truncated": [False, False],
            "embedding": [[1.0, 0.0], None],
        }
    )
    filtered = filter_embedded(rows, DescriptionSettings())
    assert filtered["drop_reason"].to_list() == [None, "empty"]
