from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.errors import StorageError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.plan import Pending, count_reasons, draw_sample, find_pending
from laketag.pipeline.lake.retries import RetryRules
from laketag.pipeline.lake.runs import label_files, read_runs, select_runs_of
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.store.s3_access import renew_access
from laketag.schemas import FAILURES, PERMANENT_FAILURES, Plan
from tests.lake.label_rows import index_rows, label_row
from tests.lake.run_rows import RUN, write_run
from tests.stores.bends import Bend, Headers
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import Store

SAMPLE = ["02", "24", "29", "33", "36"]


def find(lake: Lake, rows: pl.DataFrame, *retry: str, classifier: str = RUN.classifier) -> Pending:
    """What a run over an index with these rows has to do."""
    snapshot = write_snapshot(lake, RUN.collection, [rows])
    rules = RetryRules(wanted=frozenset(retry))
    return find_pending(lake, snapshot, select_runs_of(read_runs(lake), RUN.collection, classifier), rules)


def pending(lake: Lake, rows: pl.DataFrame, *retry: str) -> str:
    return "".join(find(lake, rows, *retry).rows["image_id"])


def test_pending_images_keep_the_order_of_the_index(lake) -> None:
    write_run(lake, 1, [label_row("b")])
    found = find(lake, index_rows("cba"))
    assert Plan.is_valid(found.rows)
    assert (found.rows["image_id"].to_list(), found.index_rows, found.failed) == (["c", "a"], 3, {})


def test_what_was_labelled_is_not_planned_again_until_it_changes(lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b")])
    assert pending(lake, index_rows("ab")) == ""
    assert pending(lake, index_rows("abc")) == "c"
    assert pending(lake, index_rows("ab", etag="v2")) == "ab"


def test_images_that_the_index_could_not_look_at_wait_and_keep_their_labels(lake) -> None:
    write_run(lake, 1, [label_row("a")])
    rows = index_rows("abc").with_columns(carried=pl.col("image_id").is_in(["a", "b"]))
    found = find(lake, rows)
    assert (found.rows["image_id"].to_list(), found.index_rows, found.carried) == (["c"], 3, 1)
    assert queries.labels(lake.root).collect()["status"].to_list() == ["current"]
    assert pending(lake, index_rows("abc")) == "bc"


def test_a_version_that_comes_back_is_labelled_again_as_another_row_is_newer(lake) -> None:
    write_run(lake, 1, [label_row("a")])
    write_run(lake, 2, [label_row("a", etag="v2", failure="truncated")])
    assert pending(lake, index_rows("a", etag="v2")) == ""
    assert pending(lake, index_rows("a")) == "a"


def test_permanent_failures_are_counted_and_tried_again_when_asked(lake) -> None:
    reasons = {"a": "too_large", "b": "empty", "c": "empty", "d": None}
    write_run(lake, 1, [label_row(image, failure=reason) for image, reason in reasons.items()])
    assert pending(lake, index_rows("abcd")) == ""
    assert pending(lake, index_rows("abcd"), "empty") == "bc"
    found = find(lake, index_rows("abc"), "too_large")
    assert (found.rows["image_id"].to_list(), found.failed) == (["a"], {"empty": 2})


@pytest.mark.parametrize("reason", FAILURES)
def test_a_transient_failure_is_planned_again_and_a_permanent_one_only_when_the_image_changes(
    lake, reason
) -> None:
    write_run(lake, 1, [label_row("a", failure=reason)])
    assert pending(lake, index_rows("a")) == ("" if reason in PERMANENT_FAILURES else "a")
    assert pending(lake, index_rows("a", etag="v2")) == "a"


def test_the_newest_of_several_runs_decides_whichever_of_them_is_the_largest(lake) -> None:
    write_run(lake, 1, [])
    write_run(lake, 2, [])  # that planned nothing
    assert pending(lake, index_rows("abcd")) == "abcd"
    write_run(lake, 3, [label_row("a"), label_row("b", failure="timeout")])
    write_run(lake, 4, [label_row("a", failure="timeout"), label_row("b"), label_row("c")])
    assert pending(lake, index_rows("abcd")) == "ad"
    write_run(lake, 5, [label_row("a"), label_row("c", failure="timeout")])
    assert pending(lake, index_rows("abcd")) == "cd"


def test_another_classifier_has_everything_to_do(lake) -> None:
    write_run(lake, 1, [label_row("a")])
    assert find(lake, index_rows("a"), classifier="beef").rows.height == 1


def test_a_sample_has_the_same_images_whatever_else_is_pending_before_them() -> None:
    """Drawn by a hash of the id: a fixed list, so that samples of earlier versions stay part of larger ones."""
    rows = index_rows([f"{number:02}" for number in range(40)])
    assert draw_sample(rows, 5)["image_id"].to_list() == SAMPLE
    assert draw_sample(rows.sample(fraction=1.0, shuffle=True), 5)["image_id"].sort().to_list() == SAMPLE
    assert draw_sample(rows, None) is rows


def test_a_sample_is_drawn_evenly() -> None:
    rows = index_rows([f"{number:05}" for number in range(10_000)])
    first_half = sum(int(name) < 5_000 for name in draw_sample(rows, 1_000)["image_id"])
    assert 420 < first_half < 580  # five standard deviations


def test_each_pending_image_has_its_reason(lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b"), label_row("c", failure="timeout"), label_row("d")])
    write_run(lake, 2, [label_row("e"), label_row("d")], classifier="beef")
    runs = read_runs(lake)
    is_own = pl.col("classifier") == RUN.classifier
    rows = pl.concat([index_rows("ac"), index_rows("b", etag="v2"), index_rows("ef")])
    pending = find(lake, rows).rows
    assert pending["image_id"].to_list() == ["c", "b", "e", "f"]
    counts = count_reasons(lake, pending, runs.filter(is_own), runs.filter(~is_own))
    assert counts == {"new": 1, "changed": 1, "tried again": 1, "other classifier": 1}
    assert count_reasons(lake, pending, runs.clear(), runs.clear()) == {"new": 4}


def test_a_label_file_that_is_missing_is_named(lake) -> None:
    write_run(lake, 1, [label_row("a")])
    write_run(lake, 2, [label_row("b")])
    Path(label_files(lake, read_runs(lake))[1]).unlink()
    with pytest.raises(StorageError, match="does not exist"):
        pending(lake, index_rows("ab"))


class Renews(Bend):
    """After this number of reads the token ``old`` has expired, and another one is in the file of credentials."""

    def __init__(self, file: Path, reads: int) -> None:
        self.file, self.reads, self.is_expired = file, reads, False
        self.write("old")

    def write(self, token: str) -> None:
        keys = "[default]\naws_access_key_id = k\naws_secret_access_key = s\naws_session_token = "
        self.file.write_text(keys + token, encoding="utf-8")

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str, Headers] | None:
        self.reads -= method == "GET"
        if self.reads >= 0 or headers["x-amz-security-token"] != "old":
            return None
        self.is_expired = True
        self.write("new")
        return 400, "ExpiredToken", []


def test_a_token_that_expires_while_a_plan_is_made_is_read_anew(
    moto: Store, moto_faults: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake(moto.url("lake"), moto.storage)
    write_run(lake, 1, [label_row("a")])
    snapshot, runs = write_snapshot(lake, RUN.collection, [index_rows("ab")]), read_runs(lake)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    storage = moto.through(moto_faults.url).storage.model_copy(update={"max_outage_s": 30.0})
    lake = Lake(lake.root, storage)
    reads = 0
    moto_faults.bend = bend = Renews(tmp_path / "credentials", reads=1)
    read_runs(lake)  # the store has served
    while bend.is_expired or not reads:
        renew_access()
        moto_faults.bend = bend = Renews(tmp_path / "credentials", reads)
        assert find_pending(lake, snapshot, runs).rows["image_id"].to_list() == ["b"]
        reads += 2
    assert reads > 4, "it has expired while the schemas were read, and while the rows were"
