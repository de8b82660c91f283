"""Summaries of random results against scikit-learn and plain counting."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    recall_score,
    top_k_accuracy_score,
)

from laketag.pipeline.evaluation.metrics import aurc, calibration_error, mcnemar_p, wilson_interval
from laketag.pipeline.evaluation.summary import (
    bins_of,
    compare_pairs,
    confusions,
    count_copies,
    coverages,
    curve_of,
    recall_by_class,
    summarise,
)
from laketag.schemas import EvaluationSummary
from tests.evaluation.results import CLASSES, METHODS, SEEDS, random_results

RESULTS = random_results()
LABELLED = RESULTS.filter(pl.col("failure").is_null())


def of(method: str, seed: int) -> pl.DataFrame:
    return LABELLED.filter((pl.col("method") == method) & (pl.col("seed") == seed))


def test_fractions_are_scikit_learns_means_over_the_seeds() -> None:
    summary = EvaluationSummary.validate(summarise(RESULTS, METHODS), cast=True)
    assert summary["method"].to_list() == list(SEEDS)
    for row in summary.iter_rows(named=True):
        each = [of(row["method"], seed) for seed in range(SEEDS[row["method"]])]
        top1 = [accuracy_score(one["true_class"], one["label"]) for one in each]
        assert (row["images"], row["failed"], row["seeds"]) == (118, 2, len(each))
        assert row["top1"] == pytest.approx(np.mean(top1))
        assert (row["top1_low"], row["top1_high"]) == pytest.approx(
            wilson_interval(float(np.mean(top1)), 118)
        )
        if len(each) == 1:
            assert row["top1_deviation"] is None
        else:
            assert row["top1_deviation"] == pytest.approx(np.std(top1, ddof=1))
        macro = [
            recall_score(
                one["true_class"], one["label"], labels=sorted(set(one["true_class"])), average="macro"
            )
            for one in each
        ]
        assert row["macro_recall"] == pytest.approx(np.mean(macro))
        assert row["top5"] == pytest.approx(np.mean([top5(one) for one in each]))
        answers = [
            ((one["label"] == one["true_class"]).to_numpy(), one["probability"].cast(pl.Float64).to_numpy())
            for one in each
        ]
        assert row["aurc"] == pytest.approx(np.mean([aurc(*one) for one in answers]))
        assert row["calibration_error"] == pytest.approx(
            np.mean([calibration_error(*one) for one in answers])
        )
        assert (row["seconds"], row["tflop"]) == pytest.approx((0.01, 0.5))


def top5(rows: pl.DataFrame) -> float:
    scores = np.zeros((rows.height, len(CLASSES)))
    for number, top in enumerate(rows["top"]):
        for place, name in enumerate(top):
            scores[number, CLASSES.index(name)] = 5 - place
    true = [CLASSES.index(name) for name in rows["true_class"]]
    return float(top_k_accuracy_score(true, scores, k=5, labels=range(len(CLASSES))))


def test_recalls_and_confusions_are_those_of_the_confusion_matrix() -> None:
    present = sorted(set(LABELLED["true_class"]))
    rows = LABELLED.filter(pl.col("method") == "abs")
    expected = recall_score(rows["true_class"], rows["label"], labels=present, average=None)
    found = dict(
        recall_by_class(RESULTS).filter(pl.col("method") == "abs").select("true_class", "recall").iter_rows()
    )
    assert [found[name] for name in present] == pytest.approx(list(expected))
    matrix = confusion_matrix(rows["true_class"], rows["label"], labels=CLASSES, normalize="true")
    pairs = confusions(RESULTS).filter(pl.col("method") == "abs")
    for true, label, share in pairs.select("true_class", "label", "share").iter_rows():
        assert share == pytest.approx(matrix[CLASSES.index(true), CLASSES.index(label)])
    assert pairs.height == int((matrix - np.diag(np.diag(matrix)) > 0).sum())
    assert pairs["share"].is_sorted(descending=True)


def test_pairs_count_who_is_right_alone_on_the_same_images() -> None:
    pairs = compare_pairs(RESULTS, ["clip", "wca", "abs"])
    assert pairs.select("method", "other").rows() == [("clip", "wca"), ("clip", "abs"), ("wca", "abs")]
    row = pairs.row(1, named=True)
    clip, best = (
        of(name, 0).sort("image_id").select(pl.col("label") == pl.col("true_class")).to_series()
        for name in ("clip", "abs")
    )
    assert row["only_method_right"] == (clip & ~best).sum()
    assert row["only_other_right"] == (best & ~clip).sum()
    assert row["mcnemar_p"] == mcnemar_p(row["only_method_right"], row["only_other_right"]) < 0.001
    summary = summarise(RESULTS, METHODS)
    top1 = dict(summary.select("method", "top1").iter_rows())
    assert row["difference"] == pytest.approx(top1["clip"] - top1["abs"])


def test_an_image_that_only_one_method_could_label_is_in_no_pair() -> None:
    lacking = RESULTS.filter(~((pl.col("method") == "abs") & (pl.col("image_id") < "010")))
    assert compare_pairs(lacking, ["clip", "abs"])["images"].item() == 108


def test_coverages_and_curves_tell_how_many_labels_stay_and_are_right() -> None:
    row = (
        coverages(RESULTS)
        .filter((pl.col("method") == "wca") & (pl.col("threshold") == 0.7))
        .row(0, named=True)
    )
    rows = LABELLED.filter(pl.col("method") == "wca")
    kept = rows.filter(pl.col("probability") >= 0.7)
    assert row["coverage"] == pytest.approx(kept.height / rows.height)
    assert row["accuracy"] == pytest.approx((kept["label"] == kept["true_class"]).mean())
    coverage, risk = curve_of(RESULTS, "wca")
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx((rows["label"] != rows["true_class"]).mean())
    assert bins_of(RESULTS, "wca")["images"].sum() == rows.height


def test_copies_are_counted_and_those_of_several_classes_too() -> None:
    copied = RESULTS.with_columns(
        pl.when(pl.col("image_id") < "004").then(pl.lit("same")).otherwise("pixels").alias("pixels")
    )
    assert count_copies(RESULTS) == (0, 0)
    assert count_copies(copied) == (3, 1)


def test_a_method_of_which_nothing_could_be_labelled_has_no_figures() -> None:
    failed = random_results(images=2, failed=2)
    summary = EvaluationSummary.validate(summarise(failed, METHODS), cast=True)
    assert summary.select("images", "failed", "top1").rows() == [(0, 2, None)] * 3
    assert compare_pairs(failed, ["clip", "abs"]).select("images", "difference", "mcnemar_p").rows() == [
        (0, None, 1.0)
    ]
