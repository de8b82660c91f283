"""What label prints of its report."""

import io
from collections import Counter

import pytest
from rich.console import Console

from laketag.jobs.label_summary import show_report, show_unfinished
from laketag.pipeline.errors import BusyError, InputError, StorageError
from laketag.pipeline.flows.label_report import LabelReport, Preview
from laketag.pipeline.progress.estimate import Estimate
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.screen import Screen
from tests.flows.reports import published, report
from tests.lake.run_rows import RUN


def shown(made: LabelReport) -> list[str]:
    out = io.StringIO()
    show_report(made, "lake", Screen(Console(file=out, width=120, markup=False)))
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_a_run_is_shown_with_its_ledger() -> None:
    assert shown(report(published({"labelled": 4, "empty": 1}))) == [
        f"run {published({}).run.run_id}",
        "images in the index 7",
        "already done 2",
        "planned 5",
        "labelled 4",
        "empty 1",
        "labels: lake/labels/run",
    ]


def test_a_sample_says_how_long_the_rest_takes_and_what_it_costs() -> None:
    made = report(published({"labelled": 5}, left=7_200), left=7_200, rest=Estimate(7_200, 2.0, 1.5))
    assert "left for later 7,200" in shown(made)
    assert shown(made)[-1] == (
        "left for later: 7,200 images, about 1 h 00 min, which cost 1.50 at 1.5 an hour at this rate"
    )


def test_a_sample_of_another_classifier_says_how_to_see_the_earlier_labels() -> None:
    made = report(published({"labelled": 5}, left=10), left=10, labelled_before="beef")
    assert shown(made)[-1].endswith(
        "to see the earlier labels: laketag query labels --root lake --collection photos --classifier beef"
    )


@pytest.mark.parametrize("labelled", [0, 2])
def test_a_run_with_fewer_labels_than_failures_says_why_and_how_to_see_more(labelled: int) -> None:
    last = shown(report(published({"labelled": labelled, "not_found": 3})))[-1]
    assert last == (
        f"3 of {labelled + 3} images failed (not_found 3); see why with: laketag query failures --root lake "
        f"--run-id {RUN.run_id}"
    )


def test_nothing_to_do_names_the_images_without_a_label() -> None:
    assert shown(report(failed_before={"empty": 2, "too_large": 1})) == [
        "nothing to do: all 2 images of snapshot s are done",
        "3 of them without a label (empty 2, too_large 1); once the cause is fixed, --retry REASON retries them",
    ]


def test_images_that_failed_too_often_name_the_option_that_retries_them() -> None:
    said = shown(report(published({"labelled": 4}), failed_before={"timeout": 3, "empty": 2, "changed": 1}))
    assert said[-1] == (
        "4 images failed again and again over several runs (timeout 3, changed 1) and need --retry timeout --retry changed "
        "to be tried once more; see why with: laketag query failures --root lake"
    )


def test_a_call_whose_time_was_over_at_once_does_not_say_that_nothing_was_to_do() -> None:
    assert shown(report(index_rows=100, left=100)) == [
        "the time was over before any image was labelled: 0 of 100 images of snapshot s are done",
        "left for later: 100 images, for an unknown time, as these were too few to measure",
    ]


def test_labels_that_queries_do_not_show_are_named_with_the_query_that_does() -> None:
    assert shown(report(labelled_last="beef"))[-1] == (
        "queries show the labels of classifier beef, which labelled last; to see these labels: "
        "laketag query labels --root lake --collection photos --classifier f00d"
    )


def test_a_dry_run_says_how_many_why_and_how_long() -> None:
    preview = Preview(
        planned=100,
        reasons={"new": 40, "other classifier": 60},
        unfinished={"r1": 20},
        differences=("method.crops 50 → 16",),
        estimate=Estimate(120, 2.0),
        rate_of="r0",
    )
    assert shown(report(index_rows=150, preview=preview, labelled_last="beef")) == [
        "images in the index 150",
        "would be labelled 120",
        "left of run r1 20",
        "new 40",
        "other classifier 60",
        "another classifier labelled images before; since then: method.crops 50 → 16. Its labels stay "
        "current until the new run is published",
        "time: about 1 min 00 s, at the 2.0 images/s of run r0, and the start of Ray and the models",
        "nothing was written",
    ]


def test_a_dry_run_names_a_run_that_only_waits_to_be_published() -> None:
    preview = Preview(
        planned=0, reasons={}, unfinished={"r1": 0}, differences=(), estimate=None, rate_of=None
    )
    assert "left of run r1 0" in shown(report(index_rows=150, preview=preview))


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        (StorageError("s"), True),
        (KeyboardInterrupt(), True),
        (BusyError("b"), False),
        (InputError("i"), False),
    ],
)
def test_an_error_after_which_the_same_command_goes_on_says_what_is_kept(
    error: BaseException, is_kept: bool
) -> None:
    out = io.StringIO()
    done = Progress(5, Console(quiet=True), "r1", published=True)
    unfinished = Progress(
        1_000, Console(quiet=True), "r2", done=700, outcomes=Counter(labelled=1, timeout=100)
    )
    show_unfinished([done, unfinished], error, Screen(Console(file=out, width=200)))
    kept = "run r2 is kept, with 600 of 1,000 images labelled; the same command goes on with it\n"
    assert out.getvalue() == kept * is_kept
