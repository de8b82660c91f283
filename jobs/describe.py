"""``laketag describe``: write a description set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table

from laketag.jobs.console import counts_table, open_screen, write_json
from laketag.jobs.description_report import show_report
from laketag.jobs.options import SHARED, argument, flag, option, value
from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.errors import SettingsError, describe_ending
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.descriptions.formats import Format
    from laketag.pipeline.descriptions.report import SetReport
    from laketag.pipeline.flows.describe_classes import DescribedSet
    from laketag.pipeline.lake.paths import Lake

LISTED = 20
"""Most class names in one line of the summary."""
OPTIONS = SHARED | {
    "file": argument(
        str | None,
        "Class names or descriptions: a local file or s3://bucket/key; without it, --report is about the set as it is.",
        default_factory=lambda: None,
    ),
    "format": value(
        Literal["auto", "names", "cupl", "clip-d", "clip-e", "csv", "parquet"],
        "--format",
        help="Format of the file; auto detects it and says why.",
    ),
    "classes": option(
        str, "--classes", help="Class names, one a line, for a list of templates or descriptors."
    ),
    "strict": flag(
        "--strict", help="Refuse the file if it needs repairs, or if a class has no text of its own to keep."
    ),
    "only": option(
        str,
        "--only",
        metavar="CLASSES",
        help="Keep only these classes of the file: imagenet-r, imagenet-a (200 classes each), or a file of names.",
    ),
    "no_filter": flag(
        "--no-filter",
        help="Keep all texts, as papers do, but empty ones and those over descriptions.limit_per_class.",
    ),
    "report": flag(
        "--report",
        help="Also report on the set, class by class: which texts stay, which classes are near, and what separates them.",
    ),
    "show_dropped": flag("--show-dropped", help="List every dropped text with its reason."),
}


def describe(
    file: str | None,
    root: str,
    description_set: str,
    *,
    format: "Format | Literal['auto']" = "auto",  # the option's name
    classes: str | None = None,
    strict: bool = False,
    only: str | None = None,
    no_filter: bool = False,
    report: bool = False,
    show_dropped: bool = False,
    as_json: bool = False,
    verbose: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "DescribedSet | SetReport":
    """Write the descriptions of the classes, embedded, as a new version of a description set.

    The file is one of

    - names: class names, one a line or as a JSON list; the label prompt describes them

    - cupl: JSON object of class → sentences

    - clip-d: JSON object of class → descriptors, made into "{class}, which has {descriptor}", or a list of
    descriptors such as WaffleCLIP's words (and --classes FILE)

    - clip-e: list of templates with {} (and --classes FILE), or JSON object of class → templates

    - csv, parquet: columns class and text

    Texts that are empty, repeated, nearly repeated, or name another class are dropped, and so are those over
    the limit of a class; the table keeps them with the reason. Each rule can be switched off in the settings.
    A class without a kept text is described by its label prompt. With --report and no file, nothing is written.
    """
    screen = open_screen(console, verbose=verbose, as_json=as_json)
    try:
        chosen = read_settings(settings, override)  # before the imports below, which take a second

        from laketag.pipeline.flows.describe_classes import DescribeRequest, describe_classes
        from laketag.pipeline.flows.report_descriptions import report_descriptions
        from laketag.pipeline.lake.paths import checked_name, open_lake
        from laketag.pipeline.stages.description_files import DescriptionFile

        lake = open_lake(root, chosen.storage)
        set_name = checked_name(description_set, "set")
        if file is None:
            return _report_alone(lake, set_name, screen, is_asked=report, as_json=as_json)
        if no_filter:
            chosen = chosen.model_copy(update={"descriptions": chosen.descriptions.without_rules()})
        source = DescriptionFile(file, None if format == "auto" else format, classes, strict, only)
        described = describe_classes(
            lake, DescribeRequest(description_set=set_name, file=source), chosen, screen
        )
        found = report_descriptions(lake, set_name) if report else None
    except BaseException as error:
        if as_json:
            write_json({**describe_ending("describe", error), "description_set": description_set})
        raise
    if show_dropped:
        show_dropped_texts(described, screen.console)
    show_summary(described, screen)
    if found:
        show_report(found, screen)
    if as_json:
        reported = {"report": found.as_json()} if found else {}
        write_json({**describe_ending("describe"), **described.as_json(), **reported})
    return described


def _report_alone(
    lake: "Lake", set_name: str, screen: Screen, *, is_asked: bool, as_json: bool
) -> "SetReport":
    """The report on the set as it is, printed."""
    from laketag.pipeline.flows.report_descriptions import report_descriptions

    if not is_asked:
        raise SettingsError(
            "name a file of class names or descriptions, or add --report for a report on the set as it is"
        )
    found = report_descriptions(lake, set_name)
    show_report(found, screen)
    if as_json:
        write_json({**describe_ending("describe"), "description_set": set_name, "report": found.as_json()})
    return found


def show_summary(described: "DescribedSet", screen: Screen) -> None:
    """Print how many texts were read, kept, dropped for which reason and cut, and where they are stored."""
    texts, dropped = described.texts, described.dropped
    kept = texts.filter(texts["drop_reason"].is_null())
    table = counts_table()
    table.add_row("classes", f"{len(described.sentences.by_class):,}")
    if described.bare_classes:
        table.add_row("  without a kept text", f"{len(described.bare_classes):,}", style="yellow")
    table.add_row("texts read", f"{texts.height:,}")
    table.add_row("  kept", f"{kept.height:,}", style="green")
    for reason, count in dropped.items():
        table.add_row(f"  dropped, {reason}", f"{count:,}", style="yellow")
    if cut := kept["truncated"].sum():
        table.add_row("kept, but cut at the context's length", f"{cut:,}", style="yellow")
    screen.say(f"set {described.description_set}, version {described.version}")
    screen.console.print(table)
    if described.bare_classes:
        names = name_some([repr(name) for name in described.bare_classes], LISTED)
        screen.say(f"described by their label prompt alone: {names}", "yellow")
    for group in described.alike_classes:
        names = name_some([repr(name) for name in group], LISTED)
        screen.say(f"the model can hardly tell these classes apart: {names}", "yellow")
    if not described.is_new:
        screen.say("nothing to do: the newest version of the set has the same content")
    screen.say(f"descriptions: {described.url}", whole=described.url)


def show_dropped_texts(described: "DescribedSet", console: Console) -> None:
    """Print each dropped text with its class and reason."""
    table = Table("class", "reason", "text", box=None, padding=(0, 2, 0, 0))
    for row in described.texts.filter(described.texts["drop_reason"].is_not_null()).iter_rows(named=True):
        table.add_row(row["class_name"], row["drop_reason"], row["text"])
    console.print(table)
