import polars as pl

from laketag.pipeline.flows.earlier_results import failed_first, find_witnesses
from laketag.pipeline.images.witnesses import Witnesses
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import Run, write_part
from laketag.schemas import Labels, Plan, Runs
from tests.lake.label_rows import label_row, plan_rows


def stage(lake: Lake, run_id: str, *rows: dict[str, object]) -> None:
    write_part(
        lake, run_id, Labels.validate(pl.DataFrame(rows, schema=Labels.create_empty().schema), cast=True)
    )


def run_of(lake: Lake) -> Run:
    names = Run.__dataclass_fields__
    return Run(**{name: "r" if field.type is str else 0 for name, field in names.items()})


def test_what_failed_before_an_interruption_comes_first(lake: Lake) -> None:
    rows = Plan.create_empty().clear(n=0)
    ids = [f"i{n}" for n in range(6)]
    rows = pl.DataFrame(
        [dict.fromkeys(Plan.column_names()) | {"image_id": i, "uri": f"/{i}", "etag": "v1"} for i in ids],
        schema=rows.schema,
    )
    stage(
        lake, "r", label_row("i4", failure="not_found"), label_row("i2", failure="empty"), label_row("gone")
    )
    ordered, failed = failed_first(lake, run_of(lake), rows)
    assert ordered["image_id"].to_list() == ["i2", "i4", "i0", "i1", "i3", "i5"]
    assert failed == {"not_found": 1, "empty": 1}


def test_one_image_of_each_bucket_that_was_read_is_found_and_some_planned_ones(lake: Lake) -> None:
    planned = plan_rows(list("uvwxyz")).with_columns(
        uri=pl.Series([*(f"s3://new/{n}.jpg" for n in range(4)), "s3://one/p.jpg", "/local/p.jpg"])
    )
    assert find_witnesses(lake, run_of(lake), Runs.create_empty(), planned.clear()) == Witnesses()
    rows = [
        label_row(name, failure=failure) | {"uri": uri}
        for name, uri, failure in [
            ("a", "s3://one/x.jpg", None),
            ("b", "s3://one/y.jpg", None),
            ("c", "https://web/z.jpg?a=b", None),
            ("d", "s3://denied/x.jpg", "forbidden"),
            ("e", "/local/x.jpg", None),
        ]
    ]
    stage(lake, "r", *rows)
    found = find_witnesses(lake, run_of(lake), Runs.create_empty(), planned)
    assert sorted(uri.split("/")[2] for uri in found.known) == ["one", "web", "x.jpg"]
    assert sorted(uri.split("/")[2] for uri in found.planned) == ["new", "new", "new", "one", "p.jpg"]
