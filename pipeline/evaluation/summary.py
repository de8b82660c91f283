"""From results (schemas.EvaluationResults) to what is known of each method."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import polars as pl

from laketag.pipeline.evaluation.metrics import (
    aurc,
    calibration_error,
    macro_recall,
    mcnemar_p,
    reliability,
    risk_coverage,
    wilson_interval,
)
from laketag.schemas import EvaluationSummary

THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Below which a label abstains, in the table of coverages."""
IS_RIGHT = pl.col("label") == pl.col("true_class")


def summarise(results: pl.DataFrame, methods: pl.DataFrame) -> pl.DataFrame:
    """schemas.EvaluationSummary: a row for each of the methods (method, title, source), in their order.

    The interval takes the mean over the seeds as one draw for each image: further seeds make it no narrower, because the
    images stay the same.
    """
    rows = []
    for method, title, source in methods.select("method", "title", "source").iter_rows():
        own = results.filter(pl.col("method") == method)
        labelled = own.filter(pl.col("failure").is_null())
        by_seed = _over_seeds(labelled, _measure)
        top1 = [one["top1"] for one in by_seed]
        images = labelled["image_id"].n_unique()
        means = {
            name: float(np.mean([one[name] for one in by_seed])) for name in (by_seed[0] if by_seed else ())
        }
        low, high = wilson_interval(means["top1"], images) if by_seed else (None, None)
        costs = labelled.select(pl.col("seconds", "tower_passes", "tflop").cast(pl.Float64).mean())
        rows.append(
            {
                "method": method,
                "title": title,
                "source": source,
                "seeds": max(1, own["seed"].n_unique()),
                "images": images,
                "failed": own["image_id"].n_unique() - images,
                "top1_deviation": float(np.std(top1, ddof=1)) if len(top1) > 1 else None,
                "top1_low": low,
                "top1_high": high,
                **means,
                **costs.row(0, named=True),
            }
        )
    return pl.DataFrame(rows, schema=EvaluationSummary.create_empty().schema)


def _over_seeds(
    labelled: pl.DataFrame, measure: Callable[[pl.DataFrame], dict[str, float]]
) -> list[dict[str, float]]:
    return [measure(rows) for _, rows in labelled.sort("seed").group_by("seed", maintain_order=True)]


def _measure(rows: pl.DataFrame) -> dict[str, float]:
    """The figures of one method with one seed."""
    is_right = rows.select(IS_RIGHT).to_series().to_numpy()
    probability = rows["probability"].cast(pl.Float64).to_numpy()
    return {
        "top1": float(is_right.mean()),
        "top5": float((rows["true_rank"] <= 5).mean()),  # type: ignore[arg-type]  # of booleans
        "macro_recall": macro_recall(is_right.astype(np.float64), number_classes(rows["true_class"])),
        "calibration_error": calibration_error(is_right, probability),
        "aurc": aurc(is_right, probability),
    }


def number_classes(names: pl.Series) -> np.ndarray:
    """Each name's place among the sorted names."""
    return names.rank("dense").cast(pl.Int64).to_numpy() - 1


def compare_pairs(results: pl.DataFrame, methods: list[str]) -> pl.DataFrame:
    """For each pair of methods: how much better the first is over all seeds, how often both say the same, and McNemar's test.

    The last two need one answer for each image: that of the first seed.
    """
    labelled = results.filter(pl.col("failure").is_null()).with_columns(is_right=IS_RIGHT)
    means = labelled.group_by("method", "image_id").agg(pl.col("is_right").mean())
    first_seed = labelled.filter(pl.col("seed") == pl.col("seed").min().over("method"))
    found = []
    for one, other in combinations(methods, 2):
        sides = [means.filter(pl.col("method") == name).drop("method") for name in (one, other)]
        both = sides[0].join(sides[1], on="image_id")
        answers = [
            first_seed.filter(pl.col("method") == name).select("image_id", "is_right", "label")
            for name in (one, other)
        ]
        pairs = answers[0].join(answers[1], on="image_id")
        alone = pairs.select(
            first=(pl.col("is_right") & ~pl.col("is_right_right")).sum(),
            second=(~pl.col("is_right") & pl.col("is_right_right")).sum(),
        ).row(0)
        found.append(
            {
                "method": one,
                "other": other,
                "images": both.height,
                "same_label": (pairs["label"] == pairs["label_right"]).mean(),
                "difference": (both["is_right"] - both["is_right_right"]).mean(),
                "only_method_right": alone[0],
                "only_other_right": alone[1],
                "mcnemar_p": mcnemar_p(*alone),
            }
        )
    return pl.DataFrame(found, schema=_PAIRS)


_PAIRS = {
    "method": pl.String,
    "other": pl.String,
    "images": pl.Int64,
    "same_label": pl.Float64,
    "difference": pl.Float64,
    "only_method_right": pl.Int64,
    "only_other_right": pl.Int64,
    "mcnemar_p": pl.Float64,
}


def recall_by_class(results: pl.DataFrame) -> pl.DataFrame:
    """For each method and true class: its images, and the fraction of them that is found, over all seeds."""
    labelled = results.filter(pl.col("failure").is_null())
    groups = labelled.group_by("method", "true_class")
    return groups.agg(images=pl.col("image_id").n_unique(), recall=IS_RIGHT.mean()).sort(
        "method", "recall", "true_class"
    )


def confusions(results: pl.DataFrame) -> pl.DataFrame:
    """For each method the wrong labels of a true class: their share of the class's images, over all seeds, the largest first."""
    labelled = results.filter(pl.col("failure").is_null()).with_columns(
        of_class=pl.len().over("method", "true_class")
    )
    groups = labelled.filter(~IS_RIGHT).group_by("method", "true_class", "label")
    shares = groups.agg(share=pl.len() / pl.col("of_class").first())
    return shares.sort("method", "share", "true_class", "label", descending=[False, True, False, False])


def coverages(results: pl.DataFrame) -> pl.DataFrame:
    """For each method and threshold of the probability: the fraction of labels that reach it, and how many of these are right."""
    labelled = results.filter(pl.col("failure").is_null())
    found = []
    for threshold in THRESHOLDS:
        kept = pl.col("probability") >= threshold
        groups = labelled.group_by("method", maintain_order=True)
        found.append(
            groups.agg(
                threshold=pl.lit(threshold), coverage=kept.mean(), accuracy=IS_RIGHT.filter(kept).mean()
            )
        )
    return pl.concat(found).sort("method", "threshold", maintain_order=True)


def bins_of(results: pl.DataFrame, method: str) -> pl.DataFrame:
    """The bins of the reliability diagram, over all seeds: images, probability, accuracy."""
    is_right, probability = _answers(results, method)
    return pl.DataFrame([vars(one) for one in reliability(is_right, probability)])


def curve_of(results: pl.DataFrame, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk over all seeds."""
    return risk_coverage(*_answers(results, method))


def _answers(results: pl.DataFrame, method: str) -> tuple[np.ndarray, np.ndarray]:
    own = results.filter((pl.col("method") == method) & pl.col("failure").is_null())
    return own.select(IS_RIGHT).to_series().to_numpy(), own["probability"].cast(pl.Float64).to_numpy()


def count_copies(results: pl.DataFrame) -> tuple[int, int]:
    """How many images have the same pixels as an earlier one, and in how many such groups the true classes differ."""
    images = results.filter(pl.col("pixels").is_not_null()).unique("image_id")
    groups = images.group_by("pixels").agg(images=pl.len(), classes=pl.col("true_class").n_unique())
    copies = groups.filter(pl.col("images") > 1)
    return int(copies["images"].sum()) - copies.height, copies.filter(pl.col("classes") > 1).height
