"""``laketag recalibrate``: decide anew which labels are accepted, from kept scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from laketag.jobs.console import open_screen, write_json
from laketag.jobs.options import SHARED
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.recalibrate_labels import RecalibrateReport

OPTIONS = SHARED


def recalibrate(
    root: str,
    collection: str,
    description_set: str,
    *,
    as_json: bool = False,
    verbose: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "RecalibrateReport":
    """Decide anew which labels are accepted, by the newest calibration and from kept scores; no image is read.

    Needs runs that labelled with --keep scores. The current labels that another calibration or none has decided get new rows, in
    a run of their own; the labels themselves and their scores stay as they are.
    """
    screen = open_screen(console, verbose=verbose, as_json=as_json)
    chosen = read_settings(settings, override)

    from laketag.pipeline.flows.recalibrate_labels import recalibrate_labels
    from laketag.pipeline.lake.paths import checked_name, open_lake

    names = (checked_name(collection, "collection"), checked_name(description_set, "set"))
    report = recalibrate_labels(open_lake(root, chosen.storage), names, chosen, screen)
    if report.run_id is None:
        screen.say(f"nothing to do: calibration {report.calibration} has decided all current labels")
    else:
        screen.say(f"run {report.run_id}", "bold")
        screen.say(
            f"calibration {report.calibration} has decided {report.labels:,} labels: {report.labels - report.abstained:,} have "
            f"accepted classes, {report.abstained:,} abstain"
        )
    if as_json:
        write_json(report.as_json())
    return report
