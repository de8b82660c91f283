"""An index snapshot: read → name → write, if anything changed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from laketag.pipeline.cluster.work_stop import WorkStop
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.errors import BusyError, InputError
from laketag.pipeline.flows.unique_ids import refuse_duplicates
from laketag.pipeline.images.findings import Findings, LeftOut, OnLeftOut
from laketag.pipeline.images.index_uris import ImageAccess
from laketag.pipeline.images.read_source import Source, read_source
from laketag.pipeline.lake.carried_rows import carried_rows
from laketag.pipeline.lake.forgotten import ForgottenImages, read_forgotten
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshot_changes import Changes
from laketag.pipeline.lake.snapshots import Snapshot, Written, preview_changes, remove_snapshot, write_changes
from laketag.pipeline.store.schemes import is_remote, normalise_url

LOCAL_FILE = r"(?i)^(/|(file|local):)"
"""A path, or a URL of a file of this machine."""


@dataclass(frozen=True, kw_only=True)
class IndexRequest:
    """Which source becomes a snapshot of which collection."""

    source: Source
    collection: str
    storage: StorageSettings | None = None
    """How the store of the source and of its images is reached; unset: as that of the lake."""
    allowed_roots: tuple[str, ...] = ()
    """Where images may be read from; images elsewhere are indexed and counted as not readable."""
    local_images: bool | None = None
    """Whether images may be on disks of this machine without allowed roots; None: if the lake is on one, too."""
    max_gone_fraction: float = 0.2
    """Refuse an index from which a larger fraction of the images would be gone."""
    accept_gone: bool = False
    """Write the index, however many images are gone."""
    stop: WorkStop = field(default_factory=WorkStop, compare=False)
    """Once it is due, reading ends with WorkStoppedError, and nothing is written."""
    dry_run: bool = False
    """Only count what would change; nothing is written."""


@dataclass(frozen=True, kw_only=True)
class IndexSummary:
    """The newest snapshot of a collection after its source was read, and what is known about its images."""

    collection: str
    snapshot: Snapshot
    is_new: bool
    """Whether the snapshot was written: not if nothing has changed since."""
    images: int
    changes: Changes
    with_class: int  # images with a true class
    unreadable: Counter[str]
    """Images of the snapshot that can never be read, by reason."""
    columns: Sequence[str] = ()
    """Which columns of tables tell where the images are, and why these."""
    left_out: Counter[str]
    """Files and rows that are not in the snapshot, by reason."""
    unreadable_folders: Sequence[str] = ()
    carried: int = 0
    """Images of the snapshot that were not looked at because they are at or below what could not be read; their rows are those
    of the last index."""
    notices: Sequence[str] = ()
    """What else a person should know of a source in a layout: lines without an image, classes without images."""
    unmatched: Sequence[str] = ()
    """Globs of ``--exclude`` that matched no file or folder."""


def index_images(lake: Lake, request: IndexRequest, on_left_out: OnLeftOut | None = None) -> IndexSummary:
    """The collection's newest snapshot has a row (schemas.ImageIndex) for every image of the source.

    An InputError if there is none, or none that can be read.
    """
    counts = Counter[str]()
    findings = Findings(LeftOut(on_left_out))
    source = request.source
    # read: the source in, rows of the index out; a listing also tells the version of each image
    access = _image_access(lake, request)
    rows = read_source(source, access, findings)
    if source.kind in ("table", "list") and is_remote(source.url):
        rows = _without_local_files(rows, request, findings.left_out)
    # carry over: more rows out; those of the last index that are below a folder that could not be read
    rows = _with_carried(rows, lake, request, findings, counts)
    # forget: fewer rows out; those of images that laketag forget has removed are left out
    forgotten = read_forgotten(lake)
    rows = _without_forgotten(rows, forgotten, request.collection, findings.left_out)
    # check: the same rows out; refused if an id comes twice, or if there is nothing to label
    if source.kind in ("table", "list"):
        rows = refuse_duplicates(rows, lambda: read_source(source, access, Findings(LeftOut())), source.url)
    rows = _refuse_nothing(_counted(rows, counts, request.stop), counts, source, findings)
    # name: the same rows out; classes are written as description files name them
    rows = map(_normalise_classes, rows)
    # write: batches of rows in, the snapshot's files out; none if nothing has changed, refused if too much is gone
    may_be_gone = 1 if request.accept_gone else request.max_gone_fraction
    if request.dry_run:
        written = preview_changes(lake, request.collection, rows, may_be_gone)
    else:
        written = _write(lake, request.collection, rows, may_be_gone, forgotten)
    return IndexSummary(
        collection=request.collection,
        snapshot=written.snapshot,
        is_new=written.is_new,
        images=counts["images"],
        changes=written.changes,
        with_class=counts["with_class"],
        unreadable=findings.unreadable,
        columns=findings.columns,
        notices=findings.notices,
        left_out=findings.left_out.files,
        unreadable_folders=findings.left_out.unreadable,
        unmatched=findings.left_out.unmatched,
        carried=counts["carried"],
    )


def _image_access(lake: Lake, request: IndexRequest) -> ImageAccess:
    local_images = not is_remote(lake.root) if request.local_images is None else request.local_images
    return ImageAccess(request.storage or lake.storage, request.allowed_roots, local_images)


def _without_local_files(
    batches: Iterator[pl.DataFrame], request: IndexRequest, left_out: LeftOut
) -> Iterator[pl.DataFrame]:
    """The batches of a table or list in a store, without files of this machine, unless the settings allow them."""
    for batch in batches:
        is_local = batch["uri"].str.contains(LOCAL_FILE)
        if request.allowed_roots or request.local_images or not is_local.any():
            yield batch
            continue
        for uri in batch["uri"].filter(is_local):
            left_out.add(uri, "file of this machine, named by a table in a store (see fetch.allowed_roots)")
        yield batch.filter(~is_local)


def _with_carried(
    batches: Iterator[pl.DataFrame],
    lake: Lake,
    request: IndexRequest,
    findings: Findings,
    counts: Counter[str],
) -> Iterator[pl.DataFrame]:
    """The batches, then rows of the last index for all that the source could not look at."""
    yield from batches
    if request.source.kind == "folder":
        top = normalise_url(request.source.url).rstrip("/")
        unseen = [f"{top}/{path}" for path in findings.left_out.unseen]
        for batch in carried_rows(lake, request.collection, unseen):
            counts["carried"] += batch.height
            yield batch


def _without_forgotten(
    batches: Iterator[pl.DataFrame], forgotten: ForgottenImages, collection: str, left_out: LeftOut
) -> Iterator[pl.DataFrame]:
    for batch in batches:
        is_forgotten = forgotten.find_in(batch, collection)
        for uri in batch["uri"].filter(is_forgotten):
            left_out.add(uri, "forgotten")
        yield batch.filter(~is_forgotten)


def _write(
    lake: Lake, collection: str, rows: Iterator[pl.DataFrame], may_be_gone: float, forgotten: ForgottenImages
) -> Written:
    """As write_changes; a BusyError, and nothing is written, if other images are forgotten by now."""

    def check() -> None:
        if forgotten != read_forgotten(lake):
            raise BusyError(
                f"laketag forget has removed images of {lake.root} meanwhile, and no index was written; "
                "run the same command again"
            )

    written = write_changes(lake, collection, rows, may_be_gone, check)
    if written.is_new:
        try:
            check()  # again, as the last part may have been written late
        except BusyError:
            remove_snapshot(lake, collection, written.snapshot)
            raise
    return written


def _counted(batches: Iterator[pl.DataFrame], counts: Counter[str], stop: WorkStop) -> Iterator[pl.DataFrame]:
    """The same batches; their rows are counted as they pass."""
    for batch in batches:
        stop.check()
        counts["images"] += batch.height
        counts["with_class"] += batch.height - batch["true_class"].null_count()
        yield batch


def _refuse_nothing(
    batches: Iterator[pl.DataFrame], counts: Counter[str], source: Source, findings: Findings
) -> Iterator[pl.DataFrame]:
    """The same batches; an InputError at their end if there was no image, or none that can be read."""
    yield from batches
    if not counts["images"]:
        raise _no_images(source, findings)
    if findings.unreadable.total() >= counts["images"]:
        reasons = "; ".join(
            f"{images:,} of {counts['images']:,}: {reason} (such as {findings.examples[reason]!r})"
            for reason, images in findings.unreadable.most_common()
        )
        columns = "".join(f"; {sentence}" for sentence in findings.columns)
        raise InputError(f"{source.url}: none of its images can be read, {reasons}{columns}")


def _no_images(source: Source, findings: Findings) -> InputError:
    left_out = ", ".join(f"{files:,} {reason}" for reason, files in findings.left_out.files.most_common())
    fix = "name a source with images"
    if source.kind == "folder":
        fix = (
            "if it holds a table of images, add --parquet; if it is in a store and its images have no extension, add "
            "--by-content"
        )
    return InputError(
        f"{source.url}: no image was found{f' (left out: {left_out})' if left_out else ''}; {fix}"
    )


def _normalise_classes(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with names of true classes in the form in which descriptions and labels have them."""
    names = {name: normalise_text(name) or None for name in rows["true_class"].drop_nulls().unique()}
    return rows.with_columns(pl.col("true_class").replace(names))
