import io
import json

from rich.console import Console

from laketag.pipeline.flows.clean_lake import clean_lake
from laketag.pipeline.lake.garbage import Retention
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.screen import Screen
from tests.lake.full_lakes import freeze_night, label_night

SCREEN = Screen(Console(file=io.StringIO()))


def test_nothing_is_removed_before_it_was_shown_and_agreed(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    freeze_night(lake, {"a": "2"}, "beef")
    shown = []
    report = clean_lake(lake, Retention(0, 0), SCREEN, lambda report: bool(shown.append(report.files)))
    assert (report.removed, shown) == (False, [{"staging of unfinished runs": 2}])
    report = clean_lake(lake, Retention(0, 0), SCREEN)
    assert report.removed
    printed = json.loads(json.dumps(report.as_json()))
    assert printed["bytes"]["staging of unfinished runs"] > 0
    assert not clean_lake(lake, Retention(0, 0), SCREEN, lambda _: False).removed
