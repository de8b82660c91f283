"""The report of a lake with real labels, in a real browser, from disk."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

import laketag
from laketag.demo.lake import write_demo_images
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.flows.report_facts import ReportRequest
from laketag.pipeline.flows.report_run import report_run
from laketag.pipeline.lake.decisions import Decided, decision_frame, decision_row
from laketag.pipeline.lake.paths import open_lake
from tests.flows.indexed import index
from tests.flows.labelled_here import (
    QUIET,
    calibrate_here,
    demo_settings,
    demo_texts,
    describe_here,
    label_here,
)
from tests.flows.report_lakes import HOSTILE, HOSTILE_FILES, write_labelled
from tests.pages.browser import SIZES, open_browser, visit

PICTURES = 32


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def url(folder: Path, browser: Browser) -> str:
    """The report of the demo's pictures, labelled by CLIP, then by ABS with a calibration; a person has decided two of them."""
    write_demo_images(folder / "images", count=PICTURES)
    index(folder / "images", folder / "lake", class_from_folder=True)
    lake = open_lake(str(folder / "lake"), StorageSettings())
    describe_here(lake, "drawings", demo_texts(), demo_settings())
    for method in ("clip", "abs"):
        settings = demo_settings(**{"method.name": method})
        if method == "abs":
            calibrate_here(lake, "c", "drawings", settings)
        label_here(lake, "c", "drawings", settings)
    rows = laketag.labels(lake.root, also_abstained=True).sort("margin").collect()
    abstained, accepted = (
        rows.filter(pl.col("abstained") == value).row(0, named=True) for value in (True, False)
    )
    for row, label in ((abstained, abstained["label"]), (accepted, None)):
        made = decision_row(
            row, "class" if label else "none_of_these", label, ("jane", "csv"), row["labelled_at"]
        )
        Decided(lake, "c", "drawings").record(decision_frame([made]))
    report = report_run(lake, ReportRequest(collection="c"), demo_settings(), QUIET)
    assert (report.labelled, report.failed, report.unreadable, report.stories) == (PICTURES, 4, 0, 6)
    file = folder / "report.html"
    file.write_bytes(report.page.html)
    return file.as_uri()


def test_each_card_and_story_says_what_the_tables_say_of_its_image(
    browser: Browser, url: str, folder: Path
) -> None:
    files = pl.read_parquet(f"{folder}/lake/labels/**/*.parquet")
    newest = files.filter(pl.col("abstained").is_not_null() | pl.col("failure").is_not_null())
    rows = {row["uri"].rpartition("/images/")[2]: row for row in newest.sort("labelled_at").rows(named=True)}
    decided = pl.read_parquet(f"{folder}/lake/decisions/**/*.parquet")
    decisions = {
        row["uri"].rpartition("/images/")[2]: row["label"] or "none of these"
        for row in decided.rows(named=True)
    }
    assert {row["abstained"] for row in rows.values()} == {True, False, None}
    with visit(browser, url) as seen:
        cards = seen.page.locator("#gallery .card").evaluate_all(
            "cards => cards.map(card => [card.querySelector('.uri').innerText, {...card.dataset}, card.innerText])"
        )
        assert {name for name, _, _ in cards} == set(rows)
        for name, data, text in cards:
            row = rows[name]
            label = "none of these" if row["abstained"] else row["label"]
            label = decisions.get(name, label)
            assert data["label"] == (label or ""), name
            assert data["failure"] == (row["failure"] or "")
            agrees = label == row["label"]
            assert data["probability"] == (str(row["probability"]) if agrees and label else ""), name
            assert ("decided by a person" in text) == (name in decisions)
            calibrated = f"calibrated {row['calibrated_probability']:.0%}" if agrees and label else None
            assert calibrated in text if calibrated else "calibrated" not in text
            if row["abstained"] and name not in decisions:
                assert f"first: {row['label']} {row['probability']:.0%}" in text
        stories = seen.page.locator(".story").evaluate_all(
            "all => all.map(one => [one.querySelector('h3 .uri').innerText, one.querySelector('h3 bdi').innerText, "
            "[...one.querySelectorAll('table tbody tr')].map(row => [...row.cells].map(cell => cell.innerText)), one.innerText])"
        )
        assert len(stories) == 6
        for name, label, scores, text in stories:
            row = rows[name]
            assert (label, scores[0][0]) == (row["label"], row["label"])
            for tag, standard, shown in zip(row["tags"], row["tag_scores"], scores, strict=False):
                assert shown[0] == tag["label"]
                if name not in decisions:
                    assert float(shown[2]) == pytest.approx(standard, abs=0.06)
                assert float(shown[-1].rstrip("%")) == pytest.approx(100 * tag["probability"], abs=0.06)
            accepts = ", ".join(one["label"] for one in row["accepted"])
            assert (
                f"The calibration accepts: {accepts}." if accepts else "The calibration accepts no class."
            ) in text
            assert (f"A person has decided: {decisions.get(name)}." in text) == (name in decisions)
        assert any(name in decisions for name, *_ in stories), "one of the least margin"


def shown_cards(page: Page) -> list[str]:
    return page.locator("#gallery .card:visible").evaluate_all(
        "cards => cards.map(card => card.dataset.label)"
    )


@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_loads_nothing_and_has_its_pictures(browser: Browser, url: str, size: str) -> None:
    with visit(browser, url, size, dark=size == "tablet") as seen:
        assert seen.complaints == []
        assert seen.loaded == [url]
        assert not seen.is_wider_than_window()
        sizes = seen.page.evaluate(
            """async () => Promise.all([...document.querySelectorAll("defs image")].map(async (one) => {
                const picture = new Image();
                picture.src = one.getAttribute("href");
                await picture.decode();
                return picture.naturalWidth;
            }))"""
        )
        assert len(sizes) == PICTURES + 6
        assert min(sizes) > 50
        assert seen.page.locator("#stories .crop").count() == 6 * 16
        assert seen.page.locator("#stories .attended").count() >= 6
        assert len(seen.page.screenshot()) > 10_000
        assert seen.find_faults(".card, .story, .class, .crop, .attended, .pairs > .panel") == []


def test_a_table_sorts_by_a_click_on_its_headings_and_the_other_way_by_a_second_one(
    browser: Browser, url: str
) -> None:
    with visit(browser, url) as seen:
        table = seen.page.locator("table.sortable")

        def column(number: int) -> list[str]:
            cells = table.locator(f"tbody tr > :nth-child({number})")
            return cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")

        table.get_by_role("button", name="class", exact=True).click()
        assert column(1) == sorted(column(1))
        table.get_by_role("button", name="mean probability").click()
        means = [float(value) for value in column(3)]
        assert means == sorted(means, reverse=True)
        table.get_by_role("button", name="mean probability").click()
        assert [float(value) for value in column(3)] == sorted(means)
        assert table.locator("th[aria-sort=ascending]").inner_text().startswith("mean probability")


def test_filters_and_orders_choose_among_all_images(browser: Browser, url: str) -> None:
    with visit(browser, url) as seen:
        page, every = seen.page, PICTURES + 4
        form = page.locator("#filters")
        assert page.locator("#gallery .card").count() == every
        label = next(
            filter(None, shown_cards(page))
        )  # which image comes first depends on the folder of the test
        form.locator("select[name=label]").select_option(label)
        assert set(shown_cards(page)) == {label}
        assert page.locator("#shown").inner_text() == f"{len(shown_cards(page))} of {every} images"
        form.get_by_role("button", name="Clear").click()
        expect(page.locator("#shown")).to_have_text(f"{every} images")
        form.locator("select[name=failure]").select_option("truncated")
        assert len(shown_cards(page)) == 1
        form.locator("select[name=failure]").select_option("none")
        assert len(shown_cards(page)) == PICTURES
        form.locator("input[name=least]").fill("50")
        form.locator("select[name=order]").select_option("probability")
        values = page.locator("#gallery .card:visible").evaluate_all(
            "cards => cards.map(card => +card.dataset.probability)"
        )
        assert values == sorted(values)
        assert 0 < len(values) < PICTURES
        assert min(values) >= 0.5
        form.locator("input[name=margin]").fill("0")
        assert len(shown_cards(page)) == 0
        form.get_by_role("button", name="Clear").click()
        every_order = {
            "-probability": "-card.dataset.probability",
            "margin": "+card.dataset.margin",
            "label": "card.dataset.label",
            "failure": "card.dataset.failure",
            "name": "card.dataset.name",
        }
        for order, value in every_order.items():
            form.locator("select[name=order]").select_option(order)
            values = page.locator("#gallery .card").evaluate_all(
                f"cards => cards.filter(card => card.dataset['{order.strip('-')}']).map(card => {value})"
            )
            assert values == sorted(values), order
            assert values, order
            last = page.locator("#gallery .card").last.get_attribute(f"data-{order.strip('-')}")
            assert order == "name" or last == "", "what has no such value comes last"
        assert len(shown_cards(page)) == every
        form.locator("input[name=text]").fill("no such word")
        assert shown_cards(page) == []
        assert seen.complaints == []


def test_pointing_at_a_description_shows_its_crops_and_hovering_a_picture_what_spoke_for_it(
    browser: Browser, url: str
) -> None:
    with visit(browser, url) as seen:
        story = seen.page.locator(".story").first
        text = story.locator(".texts li").first
        text.focus()
        crops = int(text.locator("b").inner_text().rstrip("×"))
        assert story.locator(".crop.chosen").count() == crops
        card = seen.page.locator("#gallery .card:has(.why)").first
        card.hover()
        expect(card.locator(".why")).to_have_css("opacity", "1")
        assert len(card.locator(".why").inner_text()) > 10


def test_hostile_names_and_texts_do_nothing_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    lake = write_labelled(tmp_path, 60, HOSTILE, HOSTILE_FILES)
    report = report_run(lake, ReportRequest(collection="photos"), demo_settings(), QUIET)
    file = tmp_path / "report.html"
    file.write_bytes(report.page.html)
    with visit(browser, file.as_uri(), "phone") as seen:
        assert seen.complaints == []
        assert seen.loaded == [file.as_uri()]
        assert not seen.is_wider_than_window()
        assert seen.page.locator("main h2").count() == 6
        assert "<script>alert('class')</script>" in seen.page.locator("table.sortable").inner_text()
