"""What is to be labelled: all that is pending, or what of it kept embeddings are there for."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.config import EmbeddingFormat, Settings
from laketag.pipeline.flows.kept_encoders import embedding_files, find_fitting, stored_format
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, Work, find_work
from laketag.pipeline.lake.hashed_ids import version_key
from laketag.pipeline.lake.kept_tables import embedding_format
from laketag.pipeline.lake.label_files import LabelFile
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.plan import draw_sample
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.files import READS_AT_ONCE
from laketag.pipeline.store.outages import through_outages
from laketag.pipeline.store.read_ahead import read_ahead
from laketag.schemas import Embeddings


@dataclass(frozen=True)
class Located:
    """Planned rows whose embeddings are kept."""

    rows: pl.DataFrame
    """schemas.Plan with ``file``, relative to the lake's root, and ``row`` in it, in the order of these."""
    logit_scale: float
    """Of the encoder; 0 if there are no rows."""


def plan_work(
    lake: Lake, request: LabelRequest, classifier: ChosenClassifier, settings: Settings, others: OtherRuns
) -> Work:
    """As find_work; from embeddings, pending images without kept ones are left, counted and one of them named."""
    if not request.from_embeddings:
        return find_work(lake, request, classifier.fingerprint, settings, others)
    everything = replace(request, limit=None)
    work = find_work(lake, everything, classifier.fingerprint, settings, others)
    stored_as = stored_format(classifier)
    keeping = find_fitting(classifier, request.collection, others.finished)
    files = embedding_files(keeping, stored_as)
    located = locate(lake, files, work.rows).rows
    lacking = work.rows.join(located, on="image_id", how="anti", maintain_order="left")
    limit = None if request.limit is None else max(0, request.limit - others.resumed)
    rows = work.rows.join(located, on="image_id", how="semi", maintain_order="left")
    return replace(
        work,
        request=request,
        rows=draw_sample(rows, limit),
        made_from=f"embeddings={stored_as}",
        lacking=lacking.height,
        lacking_uri=None if lacking.is_empty() else lacking["uri"][0],
        kept_by=next(_name_keeping(keeping, stored_as), None),
    )


def _name_keeping(runs: pl.DataFrame, stored_as: EmbeddingFormat) -> Iterator[tuple[str, str]]:
    """The description set and id of each of the runs that has kept embeddings in this format, the last one first."""
    for run in runs.reverse().iter_rows(named=True):
        if embedding_format(run["keep"] or "") == stored_as:
            yield run["description_set"], run["run_id"]


def kept_files(classifier: ChosenClassifier, collection: str, finished: pl.DataFrame) -> list[LabelFile]:
    """The files that the classifier, one of laketag.pipeline.flows.kept_encoders.from_kept, labels from."""
    return embedding_files(find_fitting(classifier, collection, finished), stored_format(classifier))


def locate(lake: Lake, files: Sequence[LabelFile], rows: pl.DataFrame) -> Located:
    """Where the embeddings of the rows are; of an image version that has been kept more than once, those of the last file.

    Only the keys of the files are read: 40 bytes for each row of them are held.
    """
    found = [pl.DataFrame(schema={"key": pl.UInt128, "file": pl.UInt32, "row": pl.UInt32})]
    logit_scale = 0.0
    wanted = rows.with_columns(key=version_key())

    def read_keys(numbered: tuple[int, LabelFile]) -> pl.DataFrame:
        number, file = numbered
        url = f"{lake.root}/{file.path}"
        scan = scan_table([url], Embeddings, lake.storage).select(version_key().alias("key"), "logit_scale")
        keys = through_outages(url, lake.storage, scan.collect)
        return keys.with_row_index("row").with_columns(file=pl.lit(number, pl.UInt32))

    for _, keys in read_ahead(read_keys, enumerate(files if rows.height else ()), READS_AT_ONCE):
        own = keys.result().join(wanted, on="key", how="semi", maintain_order="left")
        if own.height:
            logit_scale = own["logit_scale"][0]
            found.append(own.select("key", "file", "row"))
    places = pl.concat(found).unique("key", keep="last", maintain_order=True)
    located = wanted.join(places, on="key").drop("key").sort("file", "row")
    paths = pl.Series([file.path for file in files], dtype=pl.String)
    return Located(located.with_columns(file=paths.gather(located["file"])), logit_scale)


def say_lacking(lake: Lake, work: Work, screen: Screen) -> None:
    """Print how many pending images have no kept embeddings, and what labels them; nothing if all have.

    From fp32, a call that reads pixels labels just them. From others it has another classifier, and would label all images.
    """
    if not work.lacking:
        return
    stored_as = (work.made_from or "").partition("=")[2]
    advice = "laketag label without --from-embeddings labels them"
    if stored_as != "fp32" and work.kept_by:
        of_set, run_id = work.kept_by
        advice = (
            f"this command labels them once their embeddings are kept: laketag label --root {shlex.quote(lake.root)} "
            f"--collection {shlex.quote(work.request.collection)} --set {shlex.quote(of_set)} --keep embeddings={stored_as} "
            f"(with the settings of run {run_id}) keeps those of the images that it labels; "
            "without --from-embeddings all images of the collection would be encoded"
        )
    screen.say(
        f"{work.lacking:,} pending images have no kept embeddings of this encoder and image version, such as "
        f"{work.lacking_uri}; they stay pending, and {advice}",
        "yellow",
    )
