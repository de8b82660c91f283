import json

from laketag.jobs.compact import compact
from tests.lake.full_lakes import label_night


def test_compact_prints_what_it_merged_as_json_too(lake, capsys) -> None:
    label_night(lake, {"a": "1"})
    label_night(lake, {"b": "1"})
    assert compact(lake.root, as_json=True).label_files == 1
    printed = json.loads(capsys.readouterr().out)
    assert (printed["command"], printed["run_files_before"], printed["run_files"]) == ("compact", 2, 1)
