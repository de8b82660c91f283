"""The page of laketag review serve, in Chromium and with the keyboard, before and after its process is killed."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from starlette.testclient import TestClient

from laketag.pipeline.config import Settings, StorageSettings
from laketag.pipeline.flows.choose_for_review import choose_for_review
from laketag.pipeline.flows.review_page import review_page
from laketag.pipeline.flows.review_request import ReviewRequest
from laketag.pipeline.flows.review_session import ReviewSession
from laketag.pipeline.lake.decisions import Decided
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.pages.local_server import open_server
from tests.flows.review_lakes import write_reviewed
from tests.pages.browser import SIZES, Visit, open_browser, visit

expect.set_options(timeout=100_000)  # no claim of ours: a busy machine may take this long
HOSTILE = "<img src=x onerror=alert(1)>\"'\u202e"


MAIN = "import sys; from laketag.jobs.cli import main; sys.argv[0] = 'laketag'; main()"


@contextlib.contextmanager
def served(lake: Lake) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The URL that the command has printed, and its process."""
    command = [sys.executable, "-c", MAIN, "review", "serve", "--root", lake.root, "--reviewer", "jane"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(line.strip() for line in process.stdout if line.startswith("http://")), process
        finally:
            process.kill()


def decided(lake: Lake) -> dict[str, str | None]:
    current = Decided(lake, "photos", "animals").read_current()
    return dict(current.select("image_id", "label").rows())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Lake, Path]:
    """A lake whose five images are to be reviewed from e to a; c is gone."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image in enumerate("abde"):
        Image.new("RGB", (60, 60), (60 * number, 90, 120)).save(folder / f"{image}.png")
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    write_reviewed(lake, str(folder), size=60)
    return lake, folder


def test_a_person_decides_with_the_keyboard_and_a_kill_loses_nothing(
    browser: Browser, photos: tuple[Lake, Path]
) -> None:
    lake, folder = photos

    def press(seen: Visit, key: str, image: str) -> None:
        """The key is pressed, and the page shows that image afterwards."""
        seen.page.keyboard.press(key)
        expect(seen.page.locator("#uri")).to_have_text(f"{folder}/{image}.png")

    with served(lake) as (url, process), visit(browser, url) as seen:
        expect(seen.page.locator("#uri")).to_have_text(f"{folder}/e.png")
        loaded = "document.getElementById('picture').getBBox().width"
        assert seen.page.evaluate(loaded) == 60
        press(seen, "9", "e")  # keys without a meaning, and of classes that are not there, do nothing
        press(seen, "5", "e")
        press(seen, "2", "d")
        assert decided(lake) == {"e": "dog"}
        press(seen, "u", "e")
        assert decided(lake) == {}
        press(seen, "1", "d")
        press(seen, "s", "c")
        expect(seen.page.locator("#missing")).to_contain_text("cannot be shown: not_found")
        press(seen, "0", "b")
        assert decided(lake) == {"e": "cat", "c": None}
        assert seen.complaints == [complaint for complaint in seen.complaints if "404" in complaint]
        assert all(address.startswith(url) for address in seen.loaded)
        process.kill()
        process.wait()
        seen.page.keyboard.press("1")
        expect(seen.page.locator("#status")).to_contain_text("this was not saved")
        assert decided(lake) == {"e": "cat", "c": None}
    with served(lake) as (url, process), visit(browser, url) as seen:
        expect(seen.page.locator("#total")).to_have_text("3")  # d, b and a are left
        press(seen, "1", "b")
        seen.page.keyboard.press("/")
        seen.page.keyboard.type("CAT")
        press(seen, "Enter", "a")
        seen.page.keyboard.press("1")
        expect(seen.page.locator("#end")).to_be_visible()
        assert seen.complaints == []
        process.terminate()
        assert process.wait(20) == 143
    assert decided(lake) == {"e": "cat", "c": None, "d": "dog", "b": "cat", "a": "cat"}
    assert set(Decided(lake, "photos", "animals").read()["tool"]) == {"serve"}


def test_the_page_fits_every_window_can_be_used_without_eyes_and_shows_hostile_names_as_text(
    browser: Browser, photos: tuple[Lake, Path]
) -> None:
    lake, _ = photos
    chosen = choose_for_review(lake, ReviewRequest())
    names = pl.lit(HOSTILE)
    tags = pl.concat_list(pl.struct(label=names, probability=pl.lit(0.6, pl.Float32)))
    evidence = pl.struct(
        *(pl.col("evidence").struct.field(f"{side}_px") for side in ("x0", "y0", "x1", "y1")),
        description=names,
    )
    rows = chosen.rows.with_columns(tags=tags, uri=names, evidence=evidence)
    subject = replace(chosen.subject, collection=HOSTILE, class_names=(HOSTILE, "cat"))
    session = ReviewSession(
        Decided(lake, "photos", "animals"), replace(chosen, rows=rows, subject=subject), "jane", lambda: None
    )
    server = open_server()
    thread = threading.Thread(target=server.run, args=[review_page(session, Settings())], daemon=True)
    thread.start()
    for size in SIZES:
        with visit(browser, server.url, size, dark=size == "tablet") as seen:
            expect(seen.page.locator("#uri")).to_have_text(HOSTILE)
            assert not seen.is_wider_than_window(), size
            assert seen.find_faults() == []
            assert [said for said in seen.complaints if "404" not in said] == []
            assert seen.page.locator("#classes button span").first.text_content() == HOSTILE
    with visit(browser, server.url) as seen:
        expect(seen.page.locator("#uri")).to_have_text(HOSTILE)
        seen.page.keyboard.press("1")
        expect(seen.page.locator("#done")).to_have_text("1")
    assert decided(lake) == {"e": HOSTILE}


def test_requests_that_make_no_sense_change_nothing(photos: tuple[Lake, Path]) -> None:
    lake, _ = photos
    chosen = choose_for_review(lake, ReviewRequest())
    session = ReviewSession(Decided(lake, "photos", "animals"), chosen, "jane", lambda: None)
    client = TestClient(review_page(session, Settings()))
    for content, status in (
        (b"no json", 400),
        (b"[]", 400),
        (b'{"image_id": "e"}', 400),
        (b'{"image_id": "e", "label": "unicorn"}', 400),
        (b'{"image_id": "a", "label": "cat"}', 409),
    ):
        answer = client.post("/decide", content=content)
        assert answer.status_code == status, content
        assert answer.json()["image"]["image_id"] == "e"
    assert decided(lake) == {}
    assert client.get("/picture?image_id=nowhere").status_code == 404
    assert client.get("/picture?image_id=e").content[:3] == b"\xff\xd8\xff"
    assert "unsafe" not in client.get("/").headers["content-security-policy"]
