"""The GPU stage of an evaluation: decoded images in, one result out for each image and trial."""

import hashlib
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from laketag.pipeline.errors import LaketagError
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.stages.label_images import rgb_u8
from laketag.pipeline.stages.loading import cannot_load
from laketag.schemas import EvaluationResults

if TYPE_CHECKING:  # the driver imports this stage, and does without torch
    from laketag.pipeline.classifier.evaluator import Evaluator, Trial

RESULT_COLUMNS = ("image_id", "uri", "true_class", "failure", "failure_detail")


@dataclass(frozen=True, kw_only=True)
class EvaluatedTexts:
    """Tables of texts (schemas.Descriptions) by their names, with the same classes in the same order, and these classes."""

    urls: dict[str, str]
    class_names: tuple[str, ...]
    spelled: dict[str, dict[str, str]]
    """For a table that names classes otherwise: its name of a class → ours."""


class EvaluateImages:
    """Actor: rows with decoded images in; rows of schemas.EvaluationResults out, for each image as many as there are trials."""

    def __init__(
        self,
        *,
        evaluation: Evaluation,
        pickled_spec: bytes,
        texts: EvaluatedTexts,
        trials: list[tuple[str, int]],
        device: str,
        threads: int,
    ) -> None:
        """``pickled_spec`` is an EvaluationSpec; trials are names of its methods with seeds."""
        self._class_numbers = {name: number for number, name in enumerate(texts.class_names)}
        self._class_names = texts.class_names
        self._evaluator: Evaluator | LaketagError
        self._trials: list[Trial] = []
        try:
            self._evaluator, self._trials = _load(evaluation, pickled_spec, texts, trials, (device, threads))
        except LaketagError as error:
            self._evaluator = error  # raised by the call: Ray keeps only the text of a constructor's error
        except Exception as error:  # noqa: BLE001  # torch and the packages of models raise any
            self._evaluator = cannot_load(error, device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Evaluate the rows that have pixels; those that failed keep their failure in every trial."""
        if isinstance(self._evaluator, LaketagError):
            raise self._evaluator
        schema = EvaluationResults.create_empty().with_columns(pl.col("failure").cast(pl.String)).schema
        rows = list(self._rows(batch, self._evaluator))
        return pl.DataFrame(rows, schema=schema, orient="row").to_arrow(compat_level=pl.CompatLevel.oldest())

    def _rows(self, batch: pa.Table, evaluator: "Evaluator") -> Iterator[dict[str, Any]]:
        common = batch.select(RESULT_COLUMNS).to_pylist()
        decoded = [number for number, row in enumerate(common) if row["failure"] is None]
        images = [rgb_u8(batch, number) for number in decoded]
        outcomes = evaluator.evaluate(
            images,
            [common[number]["image_id"] for number in decoded],
            [self._class_numbers[common[number]["true_class"]] for number in decoded],
            self._trials,
        )
        for number, image, of_image in zip(decoded, images, outcomes, strict=True):
            pixels = hashlib.blake2b(image.tobytes() + repr(image.shape).encode(), digest_size=16).hexdigest()
            for trial, outcome in zip(self._trials, of_image, strict=True):
                yield common[number] | self._name(trial) | {"pixels": pixels} | self._result(trial, outcome)
        for row in common:
            if row["failure"] is not None:
                yield from (row | self._name(trial) for trial in self._trials)

    def _name(self, trial: "Trial") -> dict[str, Any]:
        return {"method": trial.method.name, "seed": trial.seed}

    def _result(self, trial: "Trial", outcome: Any) -> dict[str, Any]:
        if not outcome.is_finite:
            detail = "the model's result is not a finite number, but NaN or infinite"
            return {"failure": "not_finite", "failure_detail": detail}
        assert not isinstance(self._evaluator, LaketagError)
        cost = self._evaluator.costs[trial.method.name].of_part(outcome.fraction)
        top = [self._class_names[index] for index in outcome.top]
        return {
            "label": top[0],
            "top": top,
            "true_rank": outcome.true_rank,
            "probability": min(1.0, outcome.probability),
            "seconds": outcome.seconds,
            "tower_passes": cost.tower_passes,
            "tflop": cost.tflop,
        }


def write_results(batch: pa.Table, *, evaluation: Evaluation) -> pa.Table:
    """The rows are stored in one file; the receipt has a row for each outcome: how many images, and which failure."""
    rows = pl.DataFrame(batch)
    evaluation.write_results(rows)
    images = rows.group_by("image_id").agg(pl.col("failure").first())
    return images.group_by("failure").agg(images=pl.len()).to_arrow()


def _load(
    evaluation: Evaluation,
    pickled_spec: bytes,
    texts: EvaluatedTexts,
    trials: list[tuple[str, int]],
    place: tuple[str, int],
) -> "tuple[Evaluator, list[Trial]]":
    from laketag.pipeline.classifier.evaluation_spec import EvaluationSpec
    from laketag.pipeline.classifier.evaluator import Trial

    spec: EvaluationSpec = pickle.loads(pickled_spec)
    methods = {method.name: method for method in spec.methods}
    evaluator = spec.load(load_texts(evaluation, texts), *place)
    return evaluator, [Trial(methods[name], seed) for name, seed in trials]


def load_texts(evaluation: Evaluation, texts: EvaluatedTexts) -> dict[str, Any]:
    """ClassTexts by name, all with the classes of ``class_names`` in this order."""
    from laketag.pipeline.lake.tables import read_table
    from laketag.pipeline.stages.class_texts import class_texts
    from laketag.schemas import Descriptions

    order = pl.DataFrame({"class_name": texts.class_names}).with_row_index("order")
    found = {}
    for name, url in texts.urls.items():
        rows = read_table(url, Descriptions, evaluation.lake.storage)
        rows = rows.with_columns(pl.col("class_name").replace(texts.spelled.get(name, {})))
        found[name] = class_texts(rows.join(order, on="class_name").sort("order", maintain_order=True), url)
    return found
