"""Whose kept embeddings a classifier can label from: those of runs of the collection with the same encoder, in one format."""

import json
from dataclasses import replace
from typing import Any, cast, get_args

import polars as pl

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.classifier.encoder_identity import encoder_identity, name_what_differs
from laketag.pipeline.classifier.fingerprint import classifier_fingerprint
from laketag.pipeline.config import EmbeddingFormat, Settings
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.lake.embedding_runs import KEEPS_EMBEDDINGS, count_indexed, serves
from laketag.pipeline.lake.kept_tables import embedding_format
from laketag.pipeline.lake.label_files import LabelFile, kept_files_of
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import select_runs_of

FORMATS: tuple[EmbeddingFormat, ...] = get_args(EmbeddingFormat)
"""The most exact first."""


def check_embeddings(settings: Settings, *, from_embeddings: bool) -> Settings:
    """The settings of the run; a SettingsError if embeddings are to be kept or used within a budget.

    A run that labels from kept embeddings does not keep them again.
    """
    keep = settings.run.keep
    keeps = embedding_format(" ".join(keep)) is not None
    if settings.method.budget != "full" and (keeps or from_embeddings):
        option = "--from-embeddings" if from_embeddings else "--keep embeddings"
        raise SettingsError(
            f"{option} needs all crops of every image, and method.budget {settings.method.budget!r} takes as many as the "
            "descriptions need; set method.budget to full"
        )
    if keeps and from_embeddings:
        return settings.keeping(tuple(one for one in keep if not one.startswith("embeddings")))
    return settings


def from_kept(
    lake: Lake, classifier: ChosenClassifier, collection: str, finished: pl.DataFrame
) -> ChosenClassifier:
    """The classifier that labels from the embeddings that runs of the collection have kept, in one of their formats.

    From fp32 it is the same. Its name has every other format in it, because labels may differ. An InputError if no run has kept
    embeddings of its encoder. ``finished`` are the lake's finished runs.
    """
    stored_as = choose_format(lake, classifier, collection, finished)
    if stored_as is None:
        raise InputError(_explain_lack(classifier, collection, finished))
    if stored_as == "fp32":
        return classifier
    decided_by = decided_from(classifier.decided_by, stored_as)
    return replace(classifier, decided_by=decided_by, fingerprint=classifier_fingerprint(decided_by))


def choose_format(
    lake: Lake, classifier: ChosenClassifier, collection: str, finished: pl.DataFrame
) -> EmbeddingFormat | None:
    """The format in which the set was last labelled from embeddings of this encoder, so that its labels keep their classifier.

    Without such a run it is the one that most images of the newest index are kept in, the more exact one of two; None if
    nothing is kept.
    """
    fitting = find_fitting(classifier, collection, finished)
    files = {name: embedding_files(fitting, name) for name in FORMATS}
    kept = [name for name in FORMATS if any(file.rows != 0 for file in files[name])]
    wanted = encoder_identity(classifier.decided_by)
    runs = select_runs_of(finished, collection).filter(
        pl.col("made_from").is_not_null(), description_set=classifier.description_set
    )
    for made_from, encoder in reversed(runs.select("made_from", "encoder").rows()):
        stored_as = made_from.partition("=")[2]
        if stored_as in kept and encoder is not None and json.loads(encoder) == wanted:
            return cast("EmbeddingFormat", stored_as)
    if len(kept) < 2:
        return next(iter(kept), None)
    return max(kept, key=lambda name: count_indexed(lake, collection, files[name]))


def decided_from(decided_by: dict[str, Any], stored_as: EmbeddingFormat) -> dict[str, Any]:
    """What decides labels from embeddings in this format, if ``decided_by`` decides those from pixels."""
    return decided_by if stored_as == "fp32" else decided_by | {"embeddings": stored_as}


def stored_format(classifier: ChosenClassifier) -> EmbeddingFormat:
    """In which format a classifier of from_kept takes embeddings."""
    stored_as: EmbeddingFormat = classifier.decided_by.get("embeddings", "fp32")
    return stored_as


def rounded_format(made_from: str | None) -> str | None:
    """The format of rounded embeddings that a run was made from; None of pixels, and of fp32, which give the same labels."""
    stored_as = (made_from or "").partition("=")[2]
    return stored_as if stored_as not in ("", "fp32") else None


def find_fitting(classifier: ChosenClassifier, collection: str, finished: pl.DataFrame) -> pl.DataFrame:
    """The finished runs of the collection that have kept embeddings which the classifier would make."""
    wanted = encoder_identity(classifier.decided_by)
    runs = select_runs_of(finished, collection).filter(KEEPS_EMBEDDINGS)
    return runs.filter(
        pl.Series([serves(json.loads(one), wanted) for one in runs["encoder"]], dtype=pl.Boolean)
    )


def embedding_files(runs: pl.DataFrame, stored_as: EmbeddingFormat) -> list[LabelFile]:
    """The files of embeddings in this format that the runs name, each once, those of older runs first."""
    return list(
        {
            file.path: file
            for run in runs.iter_rows(named=True)
            if embedding_format(run["keep"] or "") == stored_as
            for file in kept_files_of(run)
            if file.path.startswith("embeddings/")
        }.values()
    )


def _explain_lack(classifier: ChosenClassifier, collection: str, finished: pl.DataFrame) -> str:
    runs = select_runs_of(finished, collection).filter(KEEPS_EMBEDDINGS)
    advice = "; label with --keep embeddings once, or without --from-embeddings"
    if runs.is_empty():
        return f"no run of collection {collection!r} has kept embeddings{advice}"
    kept, wanted = json.loads(runs["encoder"][-1]), encoder_identity(classifier.decided_by)
    differences = ", ".join(name_what_differs(kept, wanted)) or "its embeddings are gone"
    return (
        f"no run of collection {collection!r} has kept embeddings of this encoder; the last one that kept some differs "
        f"({differences}){advice}, or with the settings of then"
    )
