"""The evaluating actor without Ray, with the demo's model."""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from laketag.demo.lake import write_demo_images
from laketag.pipeline.classifier.choose_evaluation import ChosenEvaluation, choose_evaluation
from laketag.pipeline.classifier.method_names import find_methods
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import write_table
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.stages.decode_images import decode_images
from laketag.pipeline.stages.embed_descriptions import EmbedDescriptions
from laketag.pipeline.stages.evaluate_images import EvaluatedTexts, EvaluateImages, write_results
from laketag.pipeline.stages.fetch_images import fetch_images
from laketag.schemas import Descriptions
from tests.end_to_end.lakes import DEMO_DESCRIPTIONS, DEMO_SETTINGS
from tests.stores.store import folder_store

CLASSES = tuple(json.loads(DEMO_DESCRIPTIONS.read_text()))
TRIALS = [
    ("clip", 0),
    ("clip-e", 0),
    ("waffle", 3),
    ("cupl", 0),
    ("abs", 3),
    ("abs:uniform", 4),
    ("abs-trim", 3),
]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read_settings(DEMO_SETTINGS, ["method.crops=2"])


@pytest.fixture(scope="module")
def chosen(settings: Settings) -> ChosenEvaluation:
    return choose_evaluation(settings, find_methods(["all"], settings), CLASSES, [3])


def store_texts(evaluation: Evaluation, chosen: ChosenEvaluation) -> EvaluatedTexts:
    """The descriptions, and the generated texts, each with the label prompts."""
    embed = EmbedDescriptions(chosen.backbone.pickled_spec, device="cpu")
    prompts = {name: (f"a photo of a {name}.",) for name in CLASSES}
    tables = {"descriptions": json.loads(DEMO_DESCRIPTIONS.read_text()), **chosen.generated}
    urls = {}
    for kind, texts in tables.items():
        rows = [
            {"class_name": name, "position": position, "text": text, "drop_reason": None}
            for start, of_kind in ((-1, prompts), (0, texts))
            for name in reversed(CLASSES)  # a table's order is not that of the classes
            for position, text in enumerate(of_kind[name], start)
        ]
        table = pl.DataFrame(rows, schema_overrides={"position": pl.Int32, "drop_reason": pl.String})
        urls[kind] = evaluation.text_url(kind)
        write_table(pl.DataFrame(embed(table.to_arrow())), urls[kind], Descriptions, evaluation.lake.storage)
    return EvaluatedTexts(urls=urls, class_names=CLASSES, spelled={})


def read(folder: Path, settings: Settings) -> pa.Table:
    """Three drawn pictures and one that is cut off, decoded."""
    drawn = write_demo_images(folder, count=3)
    pictures = [*drawn[:3], next(one for one in drawn if one.fault == "truncated")]
    store = folder_store(folder)
    rows = pl.DataFrame(
        {
            "image_id": [f"{number}" for number in range(4)],
            "uri": [str(picture.path) for picture in pictures],
            "etag": [store_etag(picture.path) for picture in pictures],
            "size_bytes": [picture.path.stat().st_size for picture in pictures],
            "true_class": [picture.class_name for picture in pictures],
        }
    )
    fetched = fetch_images(rows.to_arrow(), fetch=settings.fetch, storage=store.storage)
    return decode_images(fetched, decode=settings.decode)


def store_etag(path: Path) -> str:
    return f"{path.stat().st_size}-{path.stat().st_mtime_ns}"


def test_every_image_has_a_row_for_every_trial_and_a_receipt(
    tmp_path: Path, settings: Settings, chosen: ChosenEvaluation
) -> None:
    lake = Lake(str(tmp_path / "lake"), settings.storage)
    evaluation = Evaluation(lake, "drawings-1", "drawings")
    batch = read(tmp_path / "images", settings)
    actor = EvaluateImages(
        evaluation=evaluation,
        pickled_spec=chosen.pickled_spec,
        texts=store_texts(evaluation, chosen),
        trials=TRIALS,
        device="cpu",
        threads=1,
    )
    table = actor(batch)
    receipt = write_results(table, evaluation=evaluation)
    assert sorted(receipt.to_pylist(), key=lambda row: -row["images"]) == [
        {"failure": None, "images": 3},
        {"failure": "truncated", "images": 1},
    ]
    rows = evaluation.read_results()
    assert rows.select("method", "seed").unique().sort("method", "seed").rows() == sorted(TRIALS)
    assert rows.height == 4 * len(TRIALS)
    failed = rows.filter(pl.col("image_id") == "3")
    assert set(failed["failure"]) == {"truncated"}
    labelled = rows.filter(pl.col("image_id") != "3")
    assert labelled["label"].is_in(CLASSES).all()
    assert labelled["pixels"].n_unique() == 3
    for row in labelled.iter_rows(named=True):
        place = row["top"].index(row["true_class"]) + 1 if row["true_class"] in row["top"] else None
        assert row["true_rank"] == place or (place is None and row["true_rank"] > 5)
        assert row["label"] == row["top"][0]
    cost = {row["method"]: (row["tower_passes"], row["tflop"]) for row in labelled.iter_rows(named=True)}
    assert cost["clip"][0] == cost["cupl"][0] == 1
    assert cost["abs:uniform"][0] == 2
    assert cost["abs"][0] == 3, "the tower's own attention is a pass of its own"


def test_an_actor_that_cannot_load_its_models_says_why_when_it_is_called(
    tmp_path: Path, settings: Settings
) -> None:
    evaluation = Evaluation(Lake(str(tmp_path), settings.storage), "a-1", "a")
    texts = EvaluatedTexts(urls={}, class_names=CLASSES, spelled={})
    actor = EvaluateImages(
        evaluation=evaluation, pickled_spec=b"", texts=texts, trials=[], device="cpu", threads=1
    )
    with pytest.raises(ModelError, match="cannot load its models"):
        actor(pa.table({}))
