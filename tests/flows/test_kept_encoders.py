"""Which kept embeddings a classifier takes: of its own encoder, in the format that the set has been labelled from."""

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


def decided_by(**method: object) -> dict[str, object]:
    """What names the classifier with these settings of the method."""
    return DECIDED_BY | {"method": DECIDED_BY["method"] | method}  # type: ignore[operator]  # both are dicts


def write_made(lake: Lake, number: int, made_from: str, **changes: str) -> None:
    """A run that was labelled from embeddings of the classifier's encoder."""
    encoder = json.dumps(encoder_identity(DECIDED_BY))
    write_run(lake, number, [label_row("a")], **{"encoder": encoder, "made_from": made_from} | changes)
    KEPT.append({})


def write_kept(lake: Lake, number: int, stored_as: str, rows: int, **method: object) -> None:
    """A run that has kept the embeddings of this number of images, as its row says."""
    write_run(lake, number, [label_row("a")], encoder=json.dumps(encoder_identity(decided_by(**method))))
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


def test_the_only_format_is_taken_and_all_but_fp32_name_another_classifier(lake: Lake) -> None:
    write_kept(lake, 1, "fp32", 5)
    exact = from_kept(lake, CLASSIFIER, RUN.collection, finished(lake))
    assert (exact, stored_format(exact)) == (CLASSIFIER, "fp32")
    write_kept(lake, 2, "int8", 5, crops=9)
    of_others = replace(CLASSIFIER, decided_by=decided_by(crops=9))
    rounded = from_kept(lake, of_others, RUN.collection, finished(lake))
    assert stored_format(rounded) == "int8"
    assert rounded.fingerprint == classifier_fingerprint(decided_by(crops=9) | {"embeddings": "int8"})
    assert from_kept(lake, rounded, RUN.collection, finished(lake)) == rounded


def test_a_set_stays_with_the_format_that_it_was_last_labelled_from(lake: Lake) -> None:
    """However many more images another format has by now: with another classifier every image would be pending."""
    write_kept(lake, 1, "fp16", 5)
    write_kept(lake, 2, "fp32", 900)
    write_made(lake, 3, "embeddings=fp16")
    write_made(lake, 4, "embeddings=fp32", description_set="birds")
    write_made(lake, 5, "embeddings=fp32", encoder=json.dumps(encoder_identity(decided_by(crops=9))))
    write_made(lake, 6, "embeddings=int8")  # of which nothing is left
    rounded = from_kept(lake, CLASSIFIER, RUN.collection, finished(lake))
    assert stored_format(rounded) == "fp16"


def test_a_lake_without_fitting_embeddings_says_what_differs(lake: Lake) -> None:
    with pytest.raises(
        InputError, match="no run of collection 'photos' has kept embeddings; label with --keep"
    ):
        from_kept(lake, CLASSIFIER, RUN.collection, finished(lake))
    write_kept(lake, 1, "fp16", 5, crops=9, seed=1)
    with pytest.raises(InputError, match=r"differs \(crops 9 → 4, seed 1 → 0\)"):
        from_kept(lake, CLASSIFIER, RUN.collection, finished(lake))
    with pytest.raises(InputError, match="'other'"):
        from_kept(lake, CLASSIFIER, "other", finished(lake))
    of_one_format = replace(CLASSIFIER, decided_by=DECIDED_BY | {"label_revision": 1})
    with pytest.raises(InputError, match="label_revision 2 → 1"):
        from_kept(lake, of_one_format, RUN.collection, finished(lake))


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
