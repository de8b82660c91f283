"""From a frozen plan to the row of the run, stage by stage without Ray: the figures add up over two processes."""

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from laketag.pipeline.config import DecodeSettings, FetchSettings, Settings, StorageSettings
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.run_speed import Spent
from laketag.pipeline.lake.run_work import Start
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import Run, freeze_plan
from laketag.pipeline.stages.decode_images import decode_in_parts
from laketag.pipeline.stages.fetch_images import fetch_in_parts
from laketag.pipeline.stages.label_images import LabelImages
from laketag.pipeline.stages.write_labels import write_labels
from tests.lake.pets import write_pets
from tests.lake.run_rows import RUN
from tests.stages.test_label_images import Spec, png


def work_off(lake: Lake, run: Run, rows: pl.DataFrame, began_at: datetime) -> None:
    """What a process that drives the run does with these rows of its plan."""
    spec = pickle.dumps(Spec(write_pets(lake, "a" * 16)))
    actor = LabelImages(lake=lake, run_id=run.run_id, pickled_spec=spec, device="cpu", threads=1)
    start = Start(began_at, fetch_slots=1, decode_slots=1)
    fetch = FetchSettings(local_images=True)
    for fetched in fetch_in_parts(rows.to_arrow(), fetch=fetch, storage=StorageSettings()):
        for decoded in decode_in_parts(fetched, decode=DecodeSettings()):
            write_labels(actor(decoded), lake=lake, run_id=run.run_id, settings=Settings(), start=start)


def test_bytes_images_and_seconds_are_those_of_a_killed_process_and_of_the_one_that_goes_on(
    tmp_path: Path,
) -> None:
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    images = {f"{number}": png("red" if number % 2 else "blue") for number in range(6)} | {
        "broken": b"no image"
    }
    for name, content in images.items():
        (tmp_path / name).write_bytes(content)
    plan = pl.DataFrame(
        {
            "image_id": list(images),
            "uri": [str(tmp_path / name) for name in images],
            "etag": [f"{(found := (tmp_path / name).stat()).st_size}-{found.st_mtime_ns}" for name in images],
            "size_bytes": [len(content) for content in images.values()],
        }
    ).with_columns(earlier_attempts=pl.lit(None, pl.Int32))
    run = RUN.__class__(**vars(RUN) | {"index_rows": plan.height, "planned": plan.height})
    freeze_plan(lake, run, plan)
    now = datetime.now(UTC)
    killed_at, again_at = now - timedelta(seconds=500), now - timedelta(seconds=60)
    work_off(lake, run, plan[:3], killed_at)
    work_off(lake, run, plan[3:], again_at)
    with hold_lease(lake, "x") as lease:
        published = publish(lake, run, lease, Spent(again_at, price_per_hour=1.0))
    assert published
    assert (published.ledger.labelled, published.ledger.failures) == (6, {"unsupported": 1})
    (row,) = read_runs(lake).to_dicts()
    assert row["bytes_read"] == sum(map(len, images.values()))
    assert row["starts"] == 2
    assert row["start_s"] >= 560
    assert 560 <= row["seconds"] < 760
    assert row["held_back_by"] == "start"
    stages = {stage["stage"]: stage for stage in row["stages"]}
    assert [stages[name]["images"] for name in ("fetch", "decode", "label")] == [7, 7, 6]
    assert all(stage["busy_s"] > 0 for stage in row["stages"])
    assert sum(actor["images"] for actor in row["actors"]) == 6
    assert sum(actor["busy_s"] for actor in row["actors"]) == stages["label"]["busy_s"]
    labels = pl.read_parquet(f"{lake.root}/{row['files'][0]}")
    assert "work" not in labels.columns
