import json
import shutil
import urllib.request
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from starlette.testclient import TestClient

import laketag
from laketag.demo.lake import write_demo_images
from laketag.jobs.report import checked_file, page_app, report
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.pages.page import Page
from tests.end_to_end.lakes import DEMO_SETTINGS
from tests.flows.labelled_here import PROJECT, demo_settings, demo_texts, describe_here, label_here
from tests.flows.report_lakes import write_labelled
from tests.stores.store import Store


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


def test_images_and_tables_on_s3_are_reported_into_s3_with_pictures_and_stories(
    moto: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_demo_images(tmp_path, count=5)
    for file in tmp_path.rglob("*.*"):
        moto.put(f"images/{file.parent.name}/{file.name}", file.read_bytes())
    weights = shutil.copytree(PROJECT / "demo/model", tmp_path / "weights")
    settings = demo_settings()
    backbone = settings.backbone.model_copy(update={"pretrained": f"local-dir:{weights}"})
    settings = settings.model_copy(update={"storage": moto.storage, "backbone": backbone})
    root, page = moto.url("lake"), moto.url("pages/photos.html")
    own = {"override": moto.options[1:]}
    laketag.index(moto.url("images/"), root, "photos", class_from_folder=True, **own)
    lake = open_lake(root, moto.storage)
    describe_here(lake, "s", demo_texts(4), settings)
    label_here(lake, "photos", "s", settings)
    shutil.rmtree(weights)  # the settings have them elsewhere now
    made = report(root, "photos", to=page, settings=DEMO_SETTINGS, as_json=True, **own)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["file"], said["labelled"], said["pictures"]) == (page, 5, 5)
    assert said["stories"] > 0
    assert moto.get("pages/photos.html") == made.page.html
    signed = laketag.review_out(root, to=str(tmp_path / "review.csv"), signed_hours=1, **own)
    links = pl.read_csv(signed.files[0])["link"]
    assert (links.str.contains("X-Amz-Expires=3600").sum(), signed.images) == (5, 5)
    with urllib.request.urlopen(links[0]) as answer:
        assert answer.status == 200
    assert made.page.html.count(b"data:image/webp") == said["pictures"] + said["stories"]


def test_a_name_that_no_browser_opens_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--to report.csv: .* end its name in .html"):
        checked_file("report.csv")


def test_the_served_page_comes_with_its_policy_and_nothing_may_frame_it() -> None:
    answer = TestClient(page_app(Page(b"a page", "default-src 'none'"))).get("/")
    assert answer.content == b"a page"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
