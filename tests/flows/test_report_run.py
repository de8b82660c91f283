"""Reports of made-up lakes, whose pictures are real and whose classifier nobody has."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from laketag.pipeline.config import Settings, StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.report_facts import ReportRequest, read_facts
from laketag.pipeline.flows.report_run import Report, choose_stories, report_run
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.reporting.choices import Limits
from tests.flows.labelled_here import QUIET, demo_settings
from tests.flows.report_lakes import HOSTILE, HOSTILE_FILES, write_labelled
from tests.lake.calibrated import calibrated_row
from tests.lake.decision_rows import decide
from tests.lake.label_rows import index_rows, label_row
from tests.lake.run_rows import write_run

SETTINGS = demo_settings()
AT_ONCE = demo_settings(**{"storage.max_outage_s": "0"})
"""For lakes whose images are nowhere."""


def make(lake: Lake, settings: Settings = SETTINGS, **request: str) -> Report:
    return report_run(lake, ReportRequest(collection="photos", **request), settings, QUIET)


@pytest.fixture
def lake_root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return write_labelled(tmp_path_factory.mktemp("report"), 120)


def test_a_report_shows_pictures_changes_and_accuracy_and_says_why_it_tells_no_story(lake: Lake) -> None:
    report = make(lake)
    html = report.page.html.decode()
    assert report.labelled + report.failed == 120
    assert (report.unreadable, report.stories) == (0, 0)
    assert html.count("data:image/webp;base64,") == report.pictures > 60
    assert "How labels came about is not shown" in html
    for section in ("run", "classes", "doubtful", "changes", "truth", "images"):
        assert f'<section id="{section}">' in html
    assert "classifier c1a551f1e1" in html


def test_a_named_run_shows_its_own_rows_and_is_compared_with_the_run_that_is_asked_for(lake: Lake) -> None:
    one, two = (f"2026010{number}T000000.000000Z-c1a551f1e{number}" for number in (1, 2))
    html = make(lake, run_id=one, against=two).page.html.decode()
    assert f"the rows of run {one}" in html
    assert "planned by this run" in html
    assert "classifier c1a551f1e2" in html
    alone = make(lake, run_id=one).page.html.decode()
    assert '<section id="changes">' not in alone


@pytest.mark.parametrize("request_", [{"description_set": "no"}, {"run_id": "no"}, {"against": "no"}])
def test_what_the_lake_does_not_have_is_refused_with_what_it_has(
    lake: Lake, request_: dict[str, str]
) -> None:
    with pytest.raises(InputError, match="'no'; its"):
        make(lake, **request_)
    with pytest.raises(InputError, match=r"'other'; its collections: photos"):
        report_run(lake, ReportRequest(collection="other"), SETTINGS, QUIET)


def test_images_that_are_gone_or_have_changed_are_shown_as_such(tmp_path: Path) -> None:
    lake = write_labelled(tmp_path, 40, runs=1)
    files = sorted((tmp_path / "images").iterdir())
    for file in files[:10]:
        file.unlink()
    for file in files[10:20]:
        file.write_bytes(file.read_bytes() + b" ")
    report = make(lake)
    html = report.page.html.decode()
    assert report.unreadable > 10
    assert "can no longer be read: not found" in html
    assert "can no longer be read: changed" in html


def test_a_page_is_bounded_however_large_the_lake_and_however_many_its_classes(tmp_path: Path) -> None:
    classes = tuple(f"class {number:02}" for number in range(60))
    limits = Limits(pictures_in_sheets=60, pairs=4, changes=4)
    small, large = (write_labelled(tmp_path / str(rows), rows, classes) for rows in (800, 4_000))
    request = ReportRequest(collection="photos")
    pages = [report_run(lake, request, SETTINGS, QUIET, limits) for lake in (small, large)]
    most = limits.pictures_in_sheets + limits.lowest + limits.pairs * limits.of_a_pair
    most += limits.changes * limits.of_a_change
    assert pages[0].pictures > 80
    assert pages[1].pictures <= most
    assert len(pages[1].page.html) < 1.2 * len(pages[0].page.html)


@pytest.mark.parametrize("failed", [True, False])
def test_a_lake_without_a_label_or_with_none_of_these_only_is_a_page(lake_root: Path, failed: bool) -> None:
    lake = open_lake(str(lake_root), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("ab")])
    rows = [label_row("a", failure="timeout"), label_row("b", failure="empty")]
    write_run(lake, 1, rows if failed else [calibrated_row("a", {}), label_row("b")])
    if not failed:
        decide(lake, "b", None)
    html = make(lake, AT_ONCE).page.html.decode()
    assert '<section id="stories">' not in html
    assert ("none of these" in html) is not failed
    assert ("A person has decided" in html) is False
    for reason in ("timeout", "empty"):
        assert (f'<th scope="row" class="wrong">{reason}</th>' in html) is failed


def test_no_story_is_told_of_an_image_that_only_a_person_has_labelled(lake_root: Path) -> None:
    lake = open_lake(str(lake_root), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("ab")])
    write_run(lake, 1, [label_row("a"), label_row("b", failure="timeout")])
    decide(lake, "b", "dog")
    facts = read_facts(lake, ReportRequest(collection="photos"), Limits())
    assert set(facts.shown["label"]) == {"cat", "dog"}
    assert choose_stories(facts, ["a", "b"], Limits())["image_id"].to_list() == ["a"]


def test_the_ledger_adds_up_with_decisions_and_abstained_images(lake_root: Path) -> None:
    lake = open_lake(str(lake_root), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("abcdefgh")])
    failed = [label_row(image, failure="timeout") for image in "efg"]
    write_run(lake, 1, [*(label_row(image) for image in "abc"), calibrated_row("d", {}), *failed])
    decide(lake, "c", None)
    decide(lake, "e", "dog")
    decide(lake, "f", None)
    html = make(lake, AT_ONCE).page.html.decode()
    table = html[html.index("Ledger</caption>") : html.index("images in the index")]
    parts = re.findall(r'</span>([^<]+)</th><td class="number">(\d+)<', table)
    assert parts == [
        ("labelled", "3"),
        ("of none of the classes", "3"),
        ("failed", "1"),
        ("not labelled yet", "1"),
    ]
    assert re.search(r"<b[^>]*>6</b><span>images labelled", html)
    assert re.search(r"<b[^>]*>3</b><span>images of none of the classes", html)


def test_the_run_before_is_compared_with_and_its_cost_is_that_of_the_set_price(lake_root: Path) -> None:
    lake = open_lake(str(lake_root), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("abc", etag="v2")])
    write_run(lake, 1, [label_row(image, label="dog") for image in "abc"])
    write_run(lake, 2, [label_row("a", label="cat", etag="v2"), label_row("b", label="dog", etag="v2")])
    priced = AT_ONCE.model_copy(update={"run": AT_ONCE.run.model_copy(update={"price_per_hour": 9.0})})
    html = make(lake, priced).page.html.decode()
    assert "Compared with the run before, 2026-01-02" in html
    assert re.search(r"<bdi>dog</bdi> .{,40}→.{,40} <bdi>cat</bdi></h3>\s*<p[^>]*>1 image<", html)
    assert re.search(r"<b[^>]*>2</b><span>changed content", html)
    assert re.search(r"<b[^>]*>200</b><span>cost of a million images", html), "9 an hour, 12.5 images/s"


def test_of_several_sets_the_one_that_labelled_last_is_shown_unless_one_is_named(lake_root: Path) -> None:
    lake = open_lake(str(lake_root), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("a")])
    write_run(lake, 1, [label_row("a", label="poodle")], description_set="breeds", classifier="b")
    write_run(lake, 2, [label_row("a", label="cat")])
    assert 'data-label="cat"' in make(lake, AT_ONCE).page.html.decode()
    html = make(lake, AT_ONCE, description_set="breeds").page.html.decode()
    assert 'data-label="poodle"' in html
    assert '<section id="changes">' not in html, "classes of another set are no change"


def test_a_lake_without_a_run_is_refused_with_the_command_that_labels(lake_root: Path) -> None:
    lake = open_lake(str(lake_root / "empty"), StorageSettings())
    with pytest.raises(
        InputError, match=r"no finished run .*'photos', nor any other; label with: laketag label"
    ):
        make(lake)


def test_hostile_names_and_texts_are_only_text(tmp_path: Path) -> None:
    lake = write_labelled(tmp_path, 60, HOSTILE, HOSTILE_FILES)
    html = make(lake).page.html.decode()
    elements = Elements()
    elements.feed(html)
    assert elements.names.count("script") == elements.names.count("style") == 1
    assert not {"img", "iframe", "object"}.intersection(elements.names)
    assert not [name for name in elements.attributes if name.startswith("on") or name == "autofocus"]
    assert "{{ 7 * 7 }}" in html


class Elements(HTMLParser):
    """The elements of a page and the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}
