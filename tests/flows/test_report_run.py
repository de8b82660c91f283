"""Reports of made-up lakes, whose pictures are real and whose classifier nobody has."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.report_facts import ReportRequest
from laketag.pipeline.flows.report_run import Report, report_run
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.reporting.choices import Limits
from tests.flows.labelled_here import QUIET, demo_settings
from tests.flows.report_lakes import HOSTILE, HOSTILE_FILES, write_labelled

SETTINGS = demo_settings()


def make(lake: Lake, settings: Settings = SETTINGS, **request: str) -> Report:
    return report_run(lake, ReportRequest(collection="photos", **request), settings, QUIET)


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
    classes = tuple(f"class {number:03}" for number in range(150))
    small, large = (write_labelled(tmp_path / str(rows), rows, classes) for rows in (400, 4_000))
    pages = [make(lake) for lake in (small, large)]
    limits = Limits()
    most = limits.pictures_in_sheets + limits.lowest + limits.pairs * limits.of_a_pair
    most += limits.changes * limits.of_a_change
    assert 200 < pages[0].pictures < pages[1].pictures + 40 <= most + 40
    assert len(pages[1].page.html) < 1.2 * len(pages[0].page.html)


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
