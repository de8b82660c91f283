"""Lakes that earlier versions wrote are still read, and their tables still written in the same way."""

import io
import shutil
from datetime import UTC, datetime
from pathlib import Path

import dataframely as dy
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import laketag
from laketag.pipeline.classifier.choose_classifier import choose_classifier
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.flows.index_images import IndexSummary
from laketag.pipeline.flows.report_facts import ReportRequest
from laketag.pipeline.flows.report_run import report_run
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_descriptions_table
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.runs import read_runs, scan_labels, select_runs_of
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot
from laketag.pipeline.lake.sql import sql
from laketag.pipeline.lake.tables import encode_table, read_footer, read_table
from laketag.pipeline.settings_file import read_settings
from laketag.schemas import Descriptions, ImageIndex, Labels, Runs
from tests.flows.labelled_here import QUIET, demo_settings

HERE = Path(__file__).parent / "0.1.0"
ROOT = str(HERE / "lake")
MODEL = Path(__file__).parents[2] / "demo" / "model"
NEW_MEANING = {Labels: ("probability", "tags"), Runs: ("planned", "images_per_s")}
"""Columns whose description in the footer is another one now."""


def test_its_report_is_a_page_with_the_images_that_can_still_be_read() -> None:
    at_once = demo_settings(**{"storage.max_outage_s": "0"})
    report = report_run(
        open_lake(ROOT, at_once.storage), ReportRequest(collection="drawings"), at_once, QUIET
    )
    labels = queries.labels(ROOT).collect()
    assert (report.labelled, report.pictures + report.unreadable) == (labels.height, labels.height)
    html = report.page.html.decode()
    assert all(f'data-label="{label}"' in html for label in labels["label"])


def test_its_runs_labels_and_failures_are_read() -> None:
    assert queries.runs(ROOT).collect()["labelled"].to_list() == [12, 2]
    labels = queries.labels(ROOT).collect()
    assert labels.height == 13  # one was labelled in both runs
    assert labels["image_id"].is_unique().all()
    assert queries.failures(ROOT).collect()["failure"].to_list() == ["truncated"]
    assert queries.summary(ROOT).select(pl.col("images").sum()).collect().item() == 13
    assert labels["true_class"].to_list() == [uri.split("/")[-2] for uri in labels["uri"]]
    assert queries.tags(ROOT).select(pl.col("image_id").n_unique()).collect().item() == 13
    assert queries.unsure(ROOT).collect()["lead"].is_sorted()
    assert sql(ROOT, "SELECT count(*) FROM labels WHERE label = true_class").collect().item() > 6


def test_its_index_and_descriptions_are_read() -> None:
    lake = open_lake(ROOT, StorageSettings())
    assert scan_snapshot(lake, latest_snapshot(lake, "drawings")).collect().height == 14
    found = latest_embedded_set(lake, "drawings")
    rows = read_descriptions_table(lake, found.name, found.version)
    assert rows.filter(pl.col("drop_reason").is_null(), pl.col("position") >= 0).height == 3


def test_its_images_are_pending_for_todays_classifier_and_its_labels_stay_current_meanwhile() -> None:
    lake = open_lake(ROOT, StorageSettings())
    settings = read_settings(HERE / "settings.toml", overrides=[f'backbone.pretrained="local-dir:{MODEL}"'])
    classifier = choose_classifier(settings, latest_embedded_set(lake, "drawings"))
    runs = select_runs_of(read_runs(lake), "drawings", classifier.fingerprint)
    pending = find_pending(lake, latest_snapshot(lake, "drawings"), runs)
    assert (pending.rows.height, pending.index_rows) == (14, 14)
    current = queries.labels(ROOT).select("classifier").unique().collect().item()
    assert current != classifier.fingerprint


def test_rows_whose_first_tag_is_another_class_are_still_read(tmp_path: Path) -> None:
    """Label revision 1 ordered tags by the joint posterior, which is not always the order of the scores."""
    root = tmp_path / "lake"
    shutil.copytree(ROOT, root)
    for file in (root / "labels").rglob("*.parquet"):
        rows = read_table(str(file), Labels, StorageSettings()).with_columns(pl.col("tags").list.reverse())
        file.write_bytes(encode_table(rows, Labels))
    labels = queries.labels(str(root)).collect()
    assert labels.height == 13
    tags = queries.tags(str(root)).filter(pl.col("rank") == 1).collect()
    assert (tags.join(labels, on="image_id")["label"] != labels["label"]).any()


@pytest.mark.usefixtures("joined_ray")
def test_it_is_indexed_labelled_and_queried_further(tmp_path: Path) -> None:
    """Its images are labelled by today's classifier, beside its own rows, and what a limit had refused once it is raised."""
    root, begun = str(tmp_path / "lake"), datetime.now(UTC)
    shutil.copytree(ROOT, root)
    shutil.copytree(HERE / "images", tmp_path / "images")
    model = f'backbone.pretrained="local-dir:{MODEL}"'

    def index() -> IndexSummary:
        return laketag.index(str(tmp_path / "images"), root, "drawings", class_from_folder=True)

    def label(*override: str) -> dict[str, int]:
        settings = HERE / "settings.toml"
        report = laketag.label(root, "drawings", "drawings", settings=settings, override=[model, *override])
        return {"labelled": report.labelled, **report.failures}

    assert index().images == 14
    largest = sorted(path.stat().st_size for path in (tmp_path / "images").rglob("*.*"))[-3]
    small = [f"fetch.max_bytes={largest}", "decode.max_pixels=1000000"]
    assert label(*small) == {"labelled": 11, "too_large": 2, "truncated": 1}
    assert queries.labels(root).collect().height == 11
    assert queries.runs(root).collect()["labelled"].to_list() == [12, 2, 11]

    (tmp_path / "images" / "key" / "easy-0007.png").unlink()
    assert index().images == 13
    assert label(*small) == {"labelled": 0}
    assert label() == {"labelled": 2}, "the limit is raised, and decode.max_pixels is no other classifier"
    assert queries.failures(root).collect()["failure"].to_list() == ["truncated"]
    lake = open_lake(root, StorageSettings())
    rows = scan_labels(lake, read_runs(lake)).filter(pl.col("labelled_at") > pl.lit(begun)).collect()
    refused = rows.filter(pl.col("failure").cast(pl.String) == "too_large")
    assert refused.select("failure_depended_on", "earlier_attempts").rows() == [(str(largest), None)] * 2
    again = rows.filter(pl.col("earlier_attempts").is_not_null())
    assert again.select("label", "earlier_attempts").drop_nulls().height == 2


@pytest.mark.parametrize(
    ("folder", "schema"),
    [("index", ImageIndex), ("descriptions", Descriptions), ("labels", Labels), ("runs", Runs)],
)
def test_its_files_are_written_again_with_the_same_types_order_and_footer_and_only_nullable_columns_more(
    folder: str, schema: type[dy.Schema]
) -> None:
    files = sorted(Path(ROOT, folder).rglob("*.parquet"))
    assert files
    for file in files:
        rows = read_table(str(file), schema, StorageSettings())
        footer = read_footer(str(file), StorageSettings())
        again = pq.read_schema(io.BytesIO(encode_table(rows, schema, footer)))
        before = pq.read_schema(file)
        for name in NEW_MEANING.get(schema, ()):
            number = before.get_field_index(name)
            before = before.set(number, before.field(name).with_metadata(again.field(name).metadata))
        added = set(again.names) - set(before.names)
        assert all(schema.columns()[name].nullable for name in added)
        kept = pa.schema([field for field in again if field.name not in added], again.metadata)
        assert kept.equals(before, check_metadata=True)
