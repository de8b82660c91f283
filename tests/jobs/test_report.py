import json
from pathlib import Path

import pytest
from rich.console import Console
from starlette.testclient import TestClient

from laketag.jobs.report import checked_file, page_app, report
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.pages.page import Page
from tests.flows.report_lakes import write_labelled


def test_the_page_is_written_and_its_figures_are_printed_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = write_labelled(tmp_path, 12, runs=1)
    file = tmp_path / "new folder" / "page.html"
    made = report(lake.root, "photos", to=str(file), as_json=True, console=Console())
    said = json.loads(capsys.readouterr().out)
    assert file.read_bytes() == made.page.html
    assert said["file"] == str(file)
    assert said["bytes"] == file.stat().st_size
    assert said["labelled"] + said["failed"] == 12


def test_a_name_that_no_browser_opens_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--to report.csv: .* end its name in .html"):
        checked_file("report.csv")


def test_the_served_page_comes_with_its_policy_and_nothing_may_frame_it() -> None:
    answer = TestClient(page_app(Page(b"a page", "default-src 'none'"))).get("/")
    assert answer.content == b"a page"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
