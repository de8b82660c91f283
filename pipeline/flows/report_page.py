"""A report's facts, pictures and stories as one page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from laketag.pipeline.config import Settings
from laketag.pipeline.flows.report_cards import Album
from laketag.pipeline.flows.report_course import show_course
from laketag.pipeline.flows.report_facts import ReportFacts
from laketag.pipeline.flows.report_labels import show_labels
from laketag.pipeline.pages.page import Page, render_page
from laketag.pipeline.reporting.choices import Limits
from laketag.pipeline.store.locations import hide_secrets
from laketag.pipeline.version import laketag_version

SECTIONS = {
    "run": "The run",
    "classes": "Classes",
    "doubtful": "In doubt",
    "changes": "What changed",
    "truth": "True classes",
    "stories": "Stories",
    "images": "All images",
}
"""By id, in the order of the page."""
NOT_ALWAYS = ("changes", "truth", "stories")


def make_page(
    facts: ReportFacts,
    album: Album,
    stories: Sequence[dict[str, Any]],
    settings: Settings,
    limits: Limits,
) -> Page:
    """The page of these facts, with the pictures and stories."""
    gallery = list(album.cards.values())
    content = {
        "collection": facts.run["collection"],
        "description_set": facts.run["description_set"],
        "root": hide_secrets(facts.lake.root),
        "folder": album.folder,
        "notices": facts.notices,
        **show_course(facts, album, settings),
        **show_labels(facts, album, limits),
        "stories": stories,
        "pictures": album.pictures,
        "gallery": gallery,
        "gallery_classes": sorted({card.label for card in gallery if card.label}),
        "made_at": datetime.now(UTC),
        "version": laketag_version(),
    }
    sections = [(name, title) for name, title in SECTIONS.items() if name not in NOT_ALWAYS or content[name]]
    content |= {"sections": sections}
    return render_page("report.html", content, styles=["report.css"], scripts=["report.js"])
