from laketag.pipeline.lake.runs import read_runs, scan_labels, scan_newest
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run


def test_runs_are_read_oldest_first_and_by_collection_and_classifier(lake) -> None:
    second = write_run(lake, 2, [label_row("a")])
    first = write_run(lake, 1, [label_row("a")], classifier="beef")
    scans = write_run(lake, 3, [label_row("a")], collection="scans")
    assert read_runs(lake)["run_id"].to_list() == [first, second, scans]
    assert read_runs(lake, "photos", "f00d")["run_id"].to_list() == [second]


def test_the_newest_row_of_an_image_is_that_of_the_newest_run(lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b")])
    write_run(lake, 2, [label_row("a", label="dog")])
    write_run(lake, 3, [label_row("b", label="dog")], committed=False)
    runs = read_runs(lake)
    assert scan_labels(lake, runs).select("image_id", "label").collect().rows() == [
        ("a", "cat"),
        ("b", "cat"),
        ("a", "dog"),
    ]
    assert scan_newest(lake, runs).select("image_id", "label").collect().rows() == [
        ("b", "cat"),
        ("a", "dog"),
    ]
