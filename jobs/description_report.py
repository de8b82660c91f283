"""The report of ``laketag describe --report``, printed."""

from typing import TYPE_CHECKING

from rich.table import Table

from laketag.pipeline.screen import Screen

if TYPE_CHECKING:
    from laketag.pipeline.descriptions.report import ClassReport, Neighbour, SetReport

SHOWN_CLASSES = 30
SHOWN_PAIRS = 10
SHOWN_SUGGESTIONS = 20


def show_report(report: "SetReport", screen: Screen) -> None:
    """Print what became of each class's texts, the nearest classes with the sentences that separate them, and suggestions."""
    screen.say(f"report on set {report.description_set}, version {report.version}", "bold")
    classes = sorted(report.classes, key=_importance)
    table = Table("class", "kept", "dropped", "nearest class", "cosine", box=None, padding=(0, 2, 0, 0))
    table.columns[1].justify = table.columns[4].justify = "right"
    for one in classes[:SHOWN_CLASSES]:
        dropped = ", ".join(f"{texts} {reason}" for reason, texts in one.dropped.items())
        nearest = one.nearest[0] if one.nearest else None
        table.add_row(
            one.class_name,
            str(one.kept),
            dropped or "none",
            nearest.class_name if nearest else "",
            f"{nearest.cosine:.3f}" if nearest else "",
            style="yellow" if one.is_bare else "",
        )
    screen.console.print(table)
    _say_more(len(classes) - SHOWN_CLASSES, "classes", screen)
    _show_pairs(report, screen)
    for suggestion in report.suggestions[:SHOWN_SUGGESTIONS]:
        screen.say(suggestion, "yellow")
    _say_more(len(report.suggestions) - SHOWN_SUGGESTIONS, "suggestions", screen)


def _importance(one: "ClassReport") -> tuple[bool, float]:
    """A key that sorts bare classes first, then those that are nearest to another one."""
    return not one.is_bare, -(one.nearest[0].cosine if one.nearest else -1)


def _show_pairs(report: "SetReport", screen: Screen) -> None:
    """The nearest pairs of classes, each once, with what separates the one from the other, and what does not."""
    pairs: dict[frozenset[str], list[tuple[str, Neighbour]]] = {}
    for one in report.classes:
        for near in one.nearest:
            pairs.setdefault(frozenset((one.class_name, near.class_name)), []).append((one.class_name, near))
    nearest = sorted(pairs.values(), key=lambda sides: -sides[0][1].cosine)
    for sides in nearest[:SHOWN_PAIRS]:
        name, near = sides[0]
        screen.say(f"{name!r} and {near.class_name!r}: cosine {near.cosine:.3f}")
        for own, side in sides:
            for sentence in side.separating:
                screen.say(f"  {own}, +{sentence.gap:.3f}: {sentence.text}")
            for sentence in side.misleading:
                screen.say(
                    f"  {own}, nearer to {side.class_name}, {sentence.gap:.3f}: {sentence.text}", "yellow"
                )
    _say_more(len(nearest) - SHOWN_PAIRS, "pairs of near classes", screen)


def _say_more(more: int, what: str, screen: Screen) -> None:
    if more > 0:
        screen.say(f"… and {more:,} more {what}; --json has all of them", "dim")
