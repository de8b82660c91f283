import io
import json
from contextlib import ExitStack

from rich.console import Console

from laketag.pipeline.flows.clean_lake import CleanReport, clean_lake
from laketag.pipeline.lake.garbage import Retention
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import run_suffix
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.folders import list_folders
from tests.lake.full_lakes import freeze_night, label_night
from tests.lake.run_rows import RUN

SCREEN = Screen(Console(file=io.StringIO()))


def test_nothing_is_removed_before_it_was_shown_and_agreed(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    freeze_night(lake, {"a": "2"}, "beef")
    shown = []
    report = clean_lake(lake, Retention(0, 1), SCREEN, lambda report: bool(shown.append(report.files)))
    assert (report.removed, shown) == (False, [{"staging of unfinished runs": 2}])
    report = clean_lake(lake, Retention(0, 1), SCREEN)
    assert report.removed
    printed = json.loads(json.dumps(report.as_json()))
    assert printed["bytes"]["staging of unfinished runs"] > 0
    assert not clean_lake(lake, Retention(0, 1), SCREEN, lambda _: False).removed


def test_what_a_process_has_begun_to_use_before_the_answer_stays(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    run = freeze_night(lake, {"a": "2"}, "beef")
    with ExitStack() as process:

        def agree(_: CleanReport) -> bool:
            process.enter_context(hold_lease(lake, RUN.collection + run_suffix(RUN.collection, "beef")))
            return True

        assert clean_lake(lake, Retention(0, 1), SCREEN, agree).files == {}
    assert run.run_id in list_folders(lake.path("staging"), lake.storage)
