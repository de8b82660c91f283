"""Which kept embeddings a classifier takes: those of most rows, of its own encoder; and what is refused."""

import json
from dataclasses import replace

import polars as pl
import pytest

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.classifier.encoder_identity import encoder_identity
from laketag.pipeline.classifier.fingerprint import classifier_fingerprint
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.flows.kept_encoders import check_embeddings, from_kept, stored_format
from laketag.pipeline.lake.label_files import LabelFile, kept_columns
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.settings_file import read_settings
from tests.lake.label_rows import label_row
from tests.lake.run_rows import RUN, write_run

DECIDED_BY = {
    "backbone": {"sha256": "1"},
    "attention": {"name": "backbone"},
    "method": {"name": "abs", "crops": 4, "seed": 0, "matching_temperature": 0.03},
    "decode": {"short_side_px": 512},
    "decode_revision": 2,
    "label_revision": 2,
}
CLASSIFIER = ChosenClassifier("f" * 16, RUN.description_set, "v", "abs", {}, DECIDED_BY, b"")


def write_kept(lake: Lake, number: int, stored_as: str, rows: int, **method: object) -> None:
    """A run that has kept the embeddings of this number of images, as its row says."""
    decided_by = DECIDED_BY | {"method": DECIDED_BY["method"] | method}  # type: ignore[operator]  # both are dicts
    write_run(
        lake,
        number,
        [label_row("a")],
        encoder=json.dumps(encoder_identity(decided_by)),
    )
    path = f"embeddings/collection={RUN.collection}/{number}.parquet"
    KEPT.append({"keep": f"scores embeddings={stored_as}"} | kept_columns([LabelFile(path, rows, "0")]))


KEPT: list[dict[str, object]] = []


def finished(lake: Lake) -> pl.DataFrame:
    """The runs as they would be with their files."""
    runs = read_runs(lake)
    return pl.DataFrame(
        [row | kept for row, kept in zip(runs.iter_rows(named=True), KEPT, strict=True)], schema=runs.schema
    )


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    KEPT.clear()


def test_the_format_of_most_images_is_taken_and_the_more_exact_one_of_two(lake: Lake) -> None:
    write_kept(lake, 1, "fp16", 5)
    write_kept(lake, 2, "fp32", 5)
    exact = from_kept(CLASSIFIER, RUN.collection, finished(lake))
    assert (exact, stored_format(exact)) == (CLASSIFIER, "fp32")
    write_kept(lake, 3, "fp16", 1, matching_temperature=1)
    rounded = from_kept(CLASSIFIER, RUN.collection, finished(lake))
    assert stored_format(rounded) == "fp16"
    assert rounded.fingerprint == classifier_fingerprint(DECIDED_BY | {"embeddings": "fp16"})
    assert from_kept(rounded, RUN.collection, finished(lake)) == rounded


def test_a_lake_without_fitting_embeddings_says_what_differs(lake: Lake) -> None:
    with pytest.raises(
        InputError, match="no run of collection 'photos' has kept embeddings; label with --keep"
    ):
        from_kept(CLASSIFIER, RUN.collection, finished(lake))
    write_kept(lake, 1, "fp16", 5, crops=9, seed=1)
    with pytest.raises(InputError, match=r"differs \(crops 9 → 4, seed 1 → 0\)"):
        from_kept(CLASSIFIER, RUN.collection, finished(lake))
    with pytest.raises(InputError, match="'other'"):
        from_kept(CLASSIFIER, "other", finished(lake))
    of_one_format = replace(CLASSIFIER, decided_by=DECIDED_BY | {"label_revision": 1})
    with pytest.raises(InputError, match="label_revision 2 → 1"):
        from_kept(of_one_format, RUN.collection, finished(lake))


@pytest.mark.parametrize("budget", ["cascade", "adaptive"])
def test_budgets_are_refused_because_they_take_fewer_crops(budget: str) -> None:
    settings = read_settings(overrides=[f"method.budget={budget}"])
    assert check_embeddings(settings, from_embeddings=False) == settings
    with pytest.raises(SettingsError, match="--from-embeddings needs all crops"):
        check_embeddings(settings, from_embeddings=True)
    with pytest.raises(SettingsError, match="--keep embeddings needs all crops"):
        check_embeddings(settings.keeping(("embeddings=int8",)), from_embeddings=False)


def test_a_run_from_embeddings_does_not_keep_them_again() -> None:
    settings = read_settings(overrides=['run.keep=["scores", "embeddings"]'])
    assert check_embeddings(settings, from_embeddings=False).run.keep == ("scores", "embeddings=fp16")
    assert check_embeddings(settings, from_embeddings=True).run.keep == ("scores",)
