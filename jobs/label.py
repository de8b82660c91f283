"""``laketag label``: label what is new or changed in a collection."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from laketag.jobs.console import open_screen, write_json
from laketag.jobs.label_summary import show_report, show_unfinished
from laketag.jobs.options import SHARED, flag, option
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.label_report import LabelReport
    from laketag.pipeline.progress.progress import Progress

OPTIONS = SHARED | {
    "retry": option(
        list[str],
        "--retry",
        metavar="REASON",
        help="Also retry images that failed for this reason, such as forbidden, and would not be retried; may be repeated.",
    ),
    "budget": option(
        Literal["full", "cascade", "adaptive"],
        "--budget",
        help="How much is computed: all crops of every image (full), none where the whole image is decisive (cascade), or "
        "crops in rounds until the label is settled (adaptive). The same as -o method.budget=….",
    ),
    "limit": option(
        int,
        "--limit",
        metavar="N",
        help="Label a random sample of N pending images, and print how long the rest would take.",
    ),
    "keep": option(
        list[str],
        "--keep",
        metavar="WHAT",
        help="Keep more than labels, in a table beside them: scores (of all classes), embeddings (to label from later, "
        "in fp16, or =fp32, =int8). Also run.keep in the settings.",
    ),
    "from_embeddings": flag(
        "--from-embeddings",
        help="Label from embeddings that earlier runs have kept, without reading an image; images without any stay pending.",
    ),
    "dry_run": flag("--dry-run", help="Print how many images would be labelled and why; write nothing."),
    "fail_on_failures": flag("--fail-on-failures", help="End with exit code 9 if any image failed."),
}


def label(
    root: str,
    collection: str,
    description_set: str,
    *,
    budget: Literal["full", "cascade", "adaptive"] | None = None,
    retry: Sequence[str] = (),
    limit: int | None = None,
    keep: Sequence[str] = (),
    from_embeddings: bool = False,
    max_hours: float | None = None,
    dry_run: bool = False,
    as_json: bool = False,
    fail_on_failures: bool = False,
    verbose: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "LabelReport":
    """Label the images of a collection that have no label yet, or have changed.

    Runs on the Ray cluster that RAY_ADDRESS names, or starts Ray on this machine. A run that was interrupted is
    finished first. Images that cannot be labelled get a row with the reason; permanent failures are retried
    only when the image changes, or with --retry.
    """
    screen = open_screen(console, verbose=verbose, as_json=as_json)
    runs: list[Progress] = []
    try:
        keeping = [f"run.keep={json.dumps(list(keep))}"] if keep else []
        budgets = [] if budget is None else [f"method.budget={budget}"]
        chosen = read_settings(
            settings, [*override, *budgets, *keeping]
        )  # before the imports below, which take a second

        from laketag.pipeline.cluster.work_stop import WorkStop
        from laketag.pipeline.flows.label_images import label_images
        from laketag.pipeline.flows.plan_run import LabelRequest
        from laketag.pipeline.flows.preview_run import preview_run
        from laketag.pipeline.lake.paths import checked_name, open_lake

        lake = open_lake(root, chosen.storage)
        request = LabelRequest(
            collection=checked_name(collection, "collection"),
            description_set=checked_name(description_set, "set"),
            retry=checked_reasons(retry),
            limit=checked_limit(limit),
            fail_on_failures=fail_on_failures,
            from_embeddings=from_embeddings,
            stop=WorkStop.after(checked_hours(max_hours)),
        )
        if dry_run:
            report = preview_run(lake, request, chosen, screen)
        else:
            report = label_images(lake, request, chosen, screen, runs.append)
    except BaseException as error:
        show_unfinished(runs, error, screen)
        if as_json:
            from laketag.pipeline.flows.label_report import interrupted_json

            write_json(interrupted_json(collection, description_set, runs, error))
        raise
    show_report(report, root, screen)
    if as_json:
        write_json(report.as_json())
    return report


def checked_reasons(reasons: Sequence[str]) -> Sequence[str]:
    """The reasons, if images can fail for all of them; else a SettingsError."""
    from laketag.schemas import FAILURES

    if unknown := [reason for reason in reasons if reason not in FAILURES]:
        raise SettingsError(
            f"--retry {unknown[0]}: no reason for which an image fails; choose one of {', '.join(FAILURES)}"
        )
    return reasons


def checked_limit(limit: int | None) -> int | None:
    """The limit, if it is at least one image; else a SettingsError."""
    if limit is not None and limit < 1:
        raise SettingsError(f"--limit {limit}: give a number of images from 1, or leave it out to label all")
    return limit


def checked_hours(hours: float | None) -> float | None:
    """The hours, if they are a time; else a SettingsError."""
    if hours is not None and not 0 < hours < float("inf"):
        raise SettingsError(
            f"--max-hours {hours:g}: give a number of hours over 0, or leave it out to take all the time needed"
        )
    return hours
