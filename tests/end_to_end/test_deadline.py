"""``label --max-hours`` whose time is over while images are being labelled."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ray import cloudpickle
from rich.console import Console

from laketag.pipeline.cluster.work_stop import WorkStop
from laketag.pipeline.flows.label_images import label_images
from laketag.pipeline.flows.plan_run import LabelRequest
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from tests.end_to_end.lakes import index_named, many_images, put_all, put_described, table
from tests.stores.store import folder_store

IMAGES = 24


@dataclass
class OverAfterPart(WorkStop):
    """Due once a run has staged a part."""

    lake: Path = Path()

    @property
    def is_due(self) -> bool:
        return any(self.lake.glob("staging/*/parts/*.parquet"))


@pytest.mark.usefixtures("joined_ray")
def test_what_is_done_when_the_time_is_over_is_published_and_the_next_call_labels_the_rest(
    tmp_path: Path, small_blocks: Path, described: Path
) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    store, images = folder_store(tmp_path), many_images(IMAGES)
    put_all(store, images)
    index_named(store, store.url("lake"), images)
    put_described(store, store.url("lake"), described)
    settings, screen = read_settings(small_blocks), Screen(Console(quiet=True))
    lake = open_lake(store.url("lake"), settings.storage)
    request = LabelRequest(collection="c", description_set="s", stop=OverAfterPart(lake=Path(lake.root)))

    (one,) = label_images(lake, request, settings, screen).runs
    done = one.ledger.labelled
    assert 0 < done < IMAGES
    assert (one.run.planned, one.run.left) == (done, IMAGES - done)
    (other,) = label_images(lake, replace(request, stop=WorkStop()), settings, screen).runs
    assert (other.run.already_done, other.ledger.labelled) == (done, IMAGES - done)
    assert table(store, store.url("lake"))["uri"].n_unique() == IMAGES
