"""Whose kept embeddings a classifier can label from: those of runs of the collection with the same encoder, in one format."""

import json
from dataclasses import replace
from typing import get_args

import polars as pl

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.classifier.encoder_identity import encoder_identity, name_what_differs
from laketag.pipeline.classifier.fingerprint import classifier_fingerprint
from laketag.pipeline.config import EmbeddingFormat, Settings
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.lake.embedding_runs import KEEPS_EMBEDDINGS, serves
from laketag.pipeline.lake.kept_tables import embedding_format
from laketag.pipeline.lake.label_files import LabelFile, kept_files_of
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


def from_kept(classifier: ChosenClassifier, collection: str, finished: pl.DataFrame) -> ChosenClassifier:
    """The classifier that labels from the embeddings that runs of the collection have kept, in the format of most of them.

    From fp32 it is the same. Its name has every other format in it, because labels may differ. An InputError if no run has kept
    embeddings of its encoder. ``finished`` are the lake's finished runs.
    """
    fitting = find_fitting(classifier, collection, finished)
    counts = {name: sum(file.rows or 0 for file in embedding_files(fitting, name)) for name in FORMATS}
    stored_as = max(FORMATS, key=lambda name: counts[name])
    if not counts[stored_as]:
        raise InputError(_explain_lack(classifier, collection, finished))
    if stored_as == "fp32":
        return classifier
    decided_by = classifier.decided_by | {"embeddings": stored_as}
    return replace(classifier, decided_by=decided_by, fingerprint=classifier_fingerprint(decided_by))


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
