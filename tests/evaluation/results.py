"""Random results of an evaluation."""

import numpy as np
import polars as pl

from laketag.schemas import EvaluationResults

CLASSES = ("cat", "dog", "bird", "fish", "cow", "pig", "hen")
METHODS = pl.DataFrame(
    [("clip", "CLIP", "a"), ("wca", "WCA", "b"), ("abs", "ABS", "c")],
    schema=["method", "title", "source"],
    orient="row",
)
SEEDS = {"clip": 1, "wca": 3, "abs": 3}
HIT_RATE = {"clip": 0.3, "wca": 0.65, "abs": 0.8}


def random_results(images: int = 120, failed: int = 2) -> pl.DataFrame:
    """Rows of three methods; the last images could not be read."""
    rng = np.random.default_rng(0)
    true = [CLASSES[index] for index in rng.integers(0, 6, images)]
    rows = []
    for method, seeds in SEEDS.items():
        for seed in range(seeds):
            for number in range(images):
                row = {
                    "image_id": f"{number:03}",
                    "uri": f"/{number}",
                    "true_class": true[number],
                    "method": method,
                    "seed": seed,
                }
                if number >= images - failed:
                    rows.append(row | {"failure": "truncated", "failure_detail": "ends early"})
                    continue
                first = true[number] if rng.random() < HIT_RATE[method] else str(rng.choice(CLASSES))
                order = [first, *rng.permutation([name for name in CLASSES if name != first]).tolist()]
                rows.append(
                    row
                    | {
                        "label": order[0],
                        "top": order[:5],
                        "true_rank": order.index(true[number]) + 1,
                        "probability": float(rng.random()),
                        "seconds": 0.01,
                        "tower_passes": 1.0,
                        "tflop": 0.5,
                        "pixels": f"{number:032x}",
                    }
                )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    empty = EvaluationResults.create_empty()
    missing = [
        pl.lit(None, empty.schema[name]).alias(name) for name in empty.columns if name not in frame.columns
    ]
    return EvaluationResults.validate(frame.with_columns(missing), cast=True)
