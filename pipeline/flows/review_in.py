"""Reading decisions back from the file of a tool: read → check everything → record all, or nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import polars as pl

from laketag.pipeline.descriptions.same_classes import find_same_classes
from laketag.pipeline.errors import InputError, describe_ending
from laketag.pipeline.lake.decisions import Decided, decision_frame, decision_row, hold_review
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_class_names
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot
from laketag.pipeline.review.formats import ReadReview, read_review
from laketag.pipeline.review.items import Proposal
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.files import read_files
from laketag.pipeline.store.outages import through_outages
from laketag.pipeline.store.schemes import normalise_url
from laketag.schemas import NONE_OF_THESE

NAMED = 3
"""How many images each problem names."""
Problem = Literal[
    "contradict each other",
    "name an unknown class",
    "are of images that are not in the lake",
    "are of images that have changed since",
]
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ReviewInRequest:
    """Which file is read, and what it is about."""

    file: str
    collection: str | None = None
    description_set: str | None = None
    decided_by: str = "unknown"
    """Who has decided, where the file does not say."""
    leave_out: bool = False
    """Leave out the decisions with a problem, and record the others."""
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class ReviewInReport:
    """What a file holds, and what became of it."""

    collection: str
    description_set: str
    format: str
    decisions: int
    """Decided images of the file."""
    undecided: int
    """Images of the file about which it says nothing."""
    new: int
    """Decisions about versions that nobody had decided."""
    changed: int
    """Decisions that take the place of another one."""
    known: int
    """Decisions that the lake has already, or that are older than the one that it has."""
    problems: dict[str, int]
    """Decisions that cannot be recorded, by what is wrong with them."""
    recorded: bool

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {**describe_ending("review in"), **vars(self)}


def review_in(lake: Lake, request: ReviewInRequest, screen: Screen) -> ReviewInReport:
    """All decisions of the file are in the lake, or after an error or a dry run none.

    An InputError that counts and names the problems, if there are any and they are not to be left out.
    """
    (content,) = _read_file(lake, request.file)
    review = read_review(content, request.file)
    decided = _find_subject(lake, request, review)
    problems: dict[Problem, list[Proposal]] = {}
    rows = _check(decided, review, request, problems)
    if problems:
        named = "; ".join(_describe(problem, found) for problem, found in problems.items())
        if not request.leave_out:
            raise InputError(
                f"{request.file}: {named}; nothing was recorded. Correct the file, or record the other {len(rows):,} decisions "
                "with --leave-out"
            )
        screen.say(f"left out: {named}", "yellow")
    if request.dry_run:
        fresh, counts = _compare(decided, rows)
    else:
        with hold_review(lake, screen.say) as lease:
            fresh, counts = _compare(decided, rows)
            if fresh:
                lease.check()
                decided.record(decision_frame(fresh))
    return ReviewInReport(
        collection=decided.collection,
        description_set=decided.set_name,
        format=review.format,
        decisions=len(rows) + sum(map(len, problems.values())),
        undecided=review.file.undecided,
        problems={problem: len(found) for problem, found in problems.items()},
        recorded=bool(fresh) and not request.dry_run,
        **counts,
    )


def _read_file(lake: Lake, name: str) -> list[bytes]:
    try:
        return read_files([normalise_url(name)], lake.storage)
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file; name the file that the tool has written") from None


def _find_subject(lake: Lake, request: ReviewInRequest, review: ReadReview) -> Decided:
    """What the request or else the file says that it is about; an InputError if neither does, or they differ."""
    names = {}
    for key, option in (("collection", "--collection"), ("description_set", "--set")):
        wanted = getattr(request, key)
        stated = {getattr(proposal, key) for proposal in review.file.proposals} - {""}
        if wanted is not None:
            stated |= {wanted}
        if not stated and review.file.proposals:
            raise InputError(f"{request.file}: does not say what it is about; name it with {option}")
        if len(stated) > 1:
            raise InputError(
                f"{request.file}: is about {', '.join(sorted(stated))}, and decisions are about one; give the file of one, and "
                f"{option} as it is in there"
            )
        names[key] = next(iter(stated), "")
    if not review.file.proposals:
        raise InputError(
            f"{request.file}: holds no decision; {review.file.undecided:,} images in it wait for one. Fill the column decision "
            "(CSV), submit annotations (Label Studio), or set the field decision (FiftyOne)"
        )
    return Decided(lake, names["collection"], names["description_set"])


def _check(
    decided: Decided,
    review: ReadReview,
    request: ReviewInRequest,
    problems: dict[Problem, list[Proposal]],
) -> list[Row]:
    """Rows of schemas.Decisions for the proposals without a problem, one for each image; the others are added to ``problems``."""
    lake, proposals = decided.lake, review.file.proposals
    images = _find_images(decided, proposals)
    described = read_class_names(lake, latest_embedded_set(lake, decided.set_name))
    wanted = {name for proposal in proposals for name in proposal.classes} - {NONE_OF_THESE}
    same = find_same_classes(sorted(wanted), described).found
    of_image: dict[str, list[Proposal]] = {}
    for proposal in proposals:
        image = images.get(proposal.image_id or proposal.uri)
        if image is None:
            problems.setdefault("are of images that are not in the lake", []).append(proposal)
        elif proposal.etag and proposal.etag != image["etag"]:
            problems.setdefault("are of images that have changed since", []).append(proposal)
        elif any(name != NONE_OF_THESE and name not in same for name in proposal.classes):
            problems.setdefault("name an unknown class", []).append(proposal)
        else:
            of_image.setdefault(image["image_id"], []).append(proposal)
    rows = []
    now = datetime.now(UTC)
    for found in of_image.values():
        classes = {None if name == NONE_OF_THESE else same[name] for one in found for name in one.classes}
        if len(classes) > 1:
            problems.setdefault("contradict each other", []).append(_merge(found))
            continue
        last = max(found, key=lambda one: one.decided_at or now)
        (label,) = classes
        who = last.decided_by or request.decided_by
        image = images[found[0].image_id or found[0].uri]
        verdict: Literal["class", "none_of_these"] = "none_of_these" if label is None else "class"
        rows.append(decision_row(image, verdict, label, (who, review.format), last.decided_at or now))
    return rows


def _merge(found: Sequence[Proposal]) -> Proposal:
    """The first of the proposals about an image, with the places and the classes of all."""
    places = " and ".join(dict.fromkeys(one.place for one in found))
    return replace(
        found[0], place=places, classes=tuple(dict.fromkeys(name for one in found for name in one.classes))
    )


def _find_images(decided: Decided, proposals: Sequence[Proposal]) -> dict[str, Row]:
    """The images of the newest index that the proposals name: image_id, uri and etag, by id and by URI."""
    lake = decided.lake
    ids = pl.Series([one.image_id for one in proposals if one.image_id], dtype=pl.String).implode()
    uris = pl.Series([one.uri for one in proposals if not one.image_id], dtype=pl.String).implode()
    index = scan_snapshot(lake, latest_snapshot(lake, decided.collection))
    wanted = index.filter(pl.col("image_id").is_in(ids) | pl.col("uri").is_in(uris))
    columns = wanted.select("image_id", "uri", "etag")
    found = through_outages(lake.root, lake.storage, lambda: columns.collect(engine="streaming"))
    rows = found.rows(named=True)
    return {row["uri"]: row for row in rows} | {row["image_id"]: row for row in rows}


def _compare(decided: Decided, rows: list[Row]) -> tuple[list[Row], dict[str, int]]:
    """The rows that change what counts, and how many are new, changed and known."""
    current = {(row["image_id"], row["etag"]): row for row in decided.read_current().rows(named=True)}
    counts = Counter(new=0, changed=0, known=0)
    fresh = []
    for row in rows:
        before = current.get((row["image_id"], row["etag"]))
        is_known = before is not None and (
            (before["verdict"], before["label"]) == (row["verdict"], row["label"])
            or before["decided_at"] > row["decided_at"]
        )
        counts["known" if is_known else "new" if before is None else "changed"] += 1
        if not is_known:
            fresh.append(row)
    return fresh, dict(counts)


def _describe(problem: Problem, found: list[Proposal]) -> str:
    """How many decisions have the problem, and which ones for example."""
    examples = [
        f"{one.uri or one.image_id} ({one.place}: {' and '.join(one.classes)[:100]})" for one in found[:NAMED]
    ]
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return f"{len(found):,} decisions {problem}: {', '.join(examples)}{more}"
