"""``laketag report``: facts → pictures → stories → one page."""

import json
import pickle
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import ValidationError

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import LaketagError, ModelError
from laketag.pipeline.flows.decoded_images import Reading
from laketag.pipeline.flows.kept_encoders import FORMATS, decided_from
from laketag.pipeline.flows.plan_run import SETTINGS_OF_LABELS
from laketag.pipeline.flows.report_cards import Album, fill_album
from laketag.pipeline.flows.report_facts import ReportFacts, ReportRequest, read_facts
from laketag.pipeline.flows.report_page import make_page
from laketag.pipeline.flows.report_stories import tell
from laketag.pipeline.flows.shown_images import read_stories, read_thumbnails
from laketag.pipeline.lake.description_versions import read_embedded_set
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.pages.page import Page
from laketag.pipeline.reporting.choices import Limits
from laketag.pipeline.screen import Screen

WEIGHTS = ("backbone", "attention")
"""Tables of the settings that name where weights are."""


@dataclass(frozen=True)
class Report:
    """A page and what it shows."""

    page: Page
    labelled: int
    failed: int
    pictures: int
    """Images that it shows a picture of."""
    unreadable: int
    """Images that it would show, and that could not be read any more."""
    stories: int


def report_run(
    lake: Lake, request: ReportRequest, settings: Settings, screen: Screen, limits: Limits | None = None
) -> Report:
    """The report on the current labels of a collection, or on one run. Nothing in the lake is changed.

    Its size is bounded by the limits. What cannot be read or computed any more is missing with the reason.
    """
    bounds = limits or Limits()
    screen.wait("reading the tables")
    facts = read_facts(lake, request, bounds)
    own, settings = settings, settings_of_run(settings, facts)
    reading = Reading(lake=lake, settings=settings)
    labelled = facts.shown.filter(pl.col("label").is_not_null())
    screen.wait(f"reading {labelled.height:,} images")
    try:
        shown = read_thumbnails(reading, labelled)
    except LaketagError as error:  # the store of the images, which is another one than the lake's
        facts.notices.append(f"No image could be read: {error}")
        shown = {}
    album = fill_album(facts.shown, shown)
    readable = [image_id for image_id in shown if shown[image_id].webp]
    elsewhere = settings.model_copy(update={name: getattr(own, name) for name in WEIGHTS})
    chosen = choose_stories(facts, readable, bounds)
    stories = tell_stories(facts, (reading, elsewhere), chosen, album, screen)
    for notice in facts.notices:
        screen.say(notice, "yellow")
    page = make_page(facts, album, stories, settings, bounds)
    return Report(
        page=page,
        labelled=facts.counts.labelled,
        failed=facts.counts.failed,
        pictures=len(readable),
        unreadable=labelled.height - len(readable),
        stories=len(stories),
    )


def settings_of_run(settings: Settings, facts: ReportFacts) -> Settings:
    """The settings with those that made the labels, as the run kept them."""
    kept = json.loads(facts.run["settings"])
    chosen = {name: kept[name] for name in SETTINGS_OF_LABELS if name in kept}
    try:
        return Settings.model_validate(settings.model_dump() | chosen)
    except ValidationError as error:  # of another version of laketag
        facts.notices.append(
            f"The run's settings are not those of this version of laketag: {error.errors()[0]['msg']}"
        )
        return settings


def choose_stories(facts: ReportFacts, readable: list[str], limits: Limits) -> pl.DataFrame:
    """The rows whose story is told: one of each kind of doubt, then of the most frequent classes, certain and typical ones."""
    choices = facts.choices
    groups = [choices.lowest, *choices.changes.values(), *choices.pairs.values()]
    sheets = [sheet[name] for sheet in choices.sheets.values() for name in ("certain", "typical")]
    firsts = [choices.lowest[:2], *(group[:1] for group in groups[1:3]), *(group[:1] for group in sheets)]
    labelled = facts.shown.filter(pl.col("predicted").is_not_null())[
        "image_id"
    ]  # others have failed, and a person decided
    known = set(readable).intersection(labelled)
    ids = [one for one in dict.fromkeys(one for group in firsts for one in group) if one in known]
    order = pl.DataFrame({"image_id": ids[: limits.stories]}, schema={"image_id": pl.String})
    return order.join(facts.shown, on="image_id", how="left", maintain_order="left")


def tell_stories(
    facts: ReportFacts, how: tuple[Reading, Settings], rows: pl.DataFrame, album: Album, screen: Screen
) -> list[dict[str, Any]]:
    """The stories of the rows, as the template draws them; none, with a notice, if the run's classifier is not to be had.

    Its weights are read from where the run had them, or else from where the settings have them now.
    """
    reading, elsewhere = how
    if rows.is_empty():
        return []
    screen.wait(f"telling how {rows.height} labels came about")
    try:
        spec = _find_spec(reading.lake, facts.run, (reading.settings, elsewhere))
        found = read_stories(reading, rows, spec)
    except LaketagError as error:
        facts.notices.append(f"How labels came about is not shown: {error}")
        return []
    told = [tell(album, row, found[row["image_id"]]) for row in rows.iter_rows(named=True)]
    return [story for story in told if story]


def _find_spec(lake: Lake, run: dict[str, Any], settings: tuple[Settings, Settings]) -> bytes:
    try:
        return spec_of_run(lake, run, settings[0])
    except LaketagError as error:
        try:
            return spec_of_run(lake, run, settings[1])
        except LaketagError:
            raise error from None


def spec_of_run(lake: Lake, run: dict[str, Any], settings: Settings) -> bytes:
    """The pickled ClassifierSpec of the run's classifier; a ModelError if these models and this laketag make another one."""
    from laketag.pipeline.classifier.choose_classifier import find_classifier
    from laketag.pipeline.classifier.fingerprint import classifier_fingerprint

    spec = find_classifier(
        settings, read_embedded_set(lake, run["description_set"], run["description_version"])
    )
    own = [decided_from(spec.decided_by, stored_as) for stored_as in FORMATS]  # also from kept embeddings
    earlier = [classifier_fingerprint(one, settings.decode.max_pixels) for one in own]
    if run["classifier"] not in (*map(classifier_fingerprint, own), *earlier):
        raise ModelError(
            f"the labels are of classifier {run['classifier']}, and the same settings now give {spec.fingerprint}: weights, "
            "descriptions or laketag have changed since; label again to see how labels come about"
        )
    return pickle.dumps(spec)
