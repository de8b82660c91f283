"""An evaluation: plan → read → fetch → decode → evaluate → write → summarise. It touches no label and no run."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from laketag.pipeline.classifier.choose_evaluation import ChosenEvaluation, choose_evaluation
from laketag.pipeline.classifier.method_names import FILTERED, Method, find_methods, vary_descriptions
from laketag.pipeline.cluster.actor_shape import WRITE_CPUS
from laketag.pipeline.cluster.execution import bound_waiting, open_blocks, retries_allowed
from laketag.pipeline.cluster.ray_address import named_address
from laketag.pipeline.cluster.ray_runtime import keep_ray, ray_runtime
from laketag.pipeline.cluster.ray_wait import say_ray_starts
from laketag.pipeline.cluster.recovery import Recovery
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.work_stop import WorkStop, WorkStoppedError
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.decoded_images import TRIES, WHOLE_BLOCKS, Reading, decoded_images
from laketag.pipeline.flows.evaluate_request import EvaluateRequest
from laketag.pipeline.flows.evaluated_texts import check_backbone, prepare_texts
from laketag.pipeline.flows.evaluation_report import EvaluationReport, make_report
from laketag.pipeline.flows.report_descriptions import suggest_for
from laketag.pipeline.flows.true_classes import KnownClasses, find_true_classes, read_known_classes
from laketag.pipeline.flows.varied_texts import Varying, prepare_varied_texts
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_class_names
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_table
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.evaluate_images import EvaluatedTexts, EvaluateImages, write_results
from laketag.schemas import LABELLED, Descriptions

if TYPE_CHECKING:
    from ray.data import Dataset

Trial = tuple[str, int]
"""The name of a method, and a seed."""


@dataclass(frozen=True, kw_only=True)
class Evaluating:
    """A planned evaluation, and what carries it out."""

    evaluation: Evaluation
    chosen: ChosenEvaluation
    texts: EvaluatedTexts
    settings: Settings
    screen: Screen
    stop: WorkStop


def evaluate_images(
    lake: Lake, request: EvaluateRequest, settings: Settings, screen: Screen
) -> EvaluationReport:
    """Every trial (method and seed) has a result for every image with a true class, and the evaluation's report is written.

    What an earlier call with the same images, texts and settings has found is not computed again. Once the stop of the
    request is due, the report is about the images that are done.
    """
    named_address()  # refuses an impossible RAY_ADDRESS before anything is looked up or downloaded
    described = latest_embedded_set(lake, request.description_set)
    methods = choose_methods(request, settings, screen)
    class_names = read_class_names(lake, described)
    # plan: the images of the newest index whose class the index states or a person has decided
    known = read_known_classes(lake, request.collection, request.description_set)
    truth = find_true_classes(
        known.images, class_names, request.description_set, leave_out_unknown=request.leave_out_unknown
    )
    for notice in (*known.notices, *truth.notices):
        screen.say(notice, "yellow")
    screen.wait("looking up the models")
    seeds = range(settings.method.seed, settings.method.seed + request.seeds)
    chosen = choose_evaluation(settings, methods, class_names, seeds)
    descriptors = latest_embedded_set(lake, request.descriptors) if request.descriptors else None
    for one in filter(None, (described, descriptors)):
        check_backbone(one, chosen)
    sets = (described, descriptors)
    evaluation = name_evaluation(lake, request.collection, known, sets, chosen)
    if request.varies_descriptions:
        evaluation = replace(evaluation, name=f"{evaluation.name}-{hash_rules(settings)}")
    trials = [(one.name, seed) for one in methods for seed in (seeds if one.varies else seeds[:1])]
    with keep_ray():
        texts = prepare_texts(evaluation, described, descriptors, chosen, (settings, screen))
        if request.varies_descriptions:
            varying = Varying(evaluation, described, chosen, settings, screen)
            texts = replace(texts, urls=texts.urls | prepare_varied_texts(varying, seeds))
        evaluating = Evaluating(
            evaluation=evaluation,
            chosen=chosen,
            texts=texts,
            settings=settings,
            screen=screen,
            stop=request.stop,
        )
        # images that lack the same trials go through the models together; usually these are all
        for lacking, images in group_by_lacking(truth.images, trials, evaluation.read_results()):
            if not request.stop.is_due:
                run_trials(evaluating, lacking, images)
    wanted = pl.DataFrame(trials, schema=["method", "seed"], orient="row").cast({"seed": pl.Int32})
    results = evaluation.read_results().join(wanted, on=["method", "seed"], how="semi")
    results = results.join(truth.images, on="image_id", how="semi")
    suggestions: tuple[str, ...] = ()
    if request.varies_descriptions:
        suggestions = suggest_for(read_table(evaluation.text_url(FILTERED), Descriptions, lake.storage))
    found = (methods, results, truth.images.height)
    return make_report(evaluation, request, settings, found, suggestions)


def choose_methods(request: EvaluateRequest, settings: Settings, screen: Screen) -> tuple[Method, ...]:
    """The methods of the request. CLIP-D needs descriptors: without, a group leaves it out, and its name is a SettingsError."""
    methods = find_methods(request.methods, settings)
    if request.varies_descriptions:
        if not any(method.texts == "descriptions" for method in methods):
            raise SettingsError(
                f"--descriptions compares methods that read descriptions, and {', '.join(request.methods)} read none; name some "
                "such as abs or cupl with --methods"
            )
        methods = vary_descriptions(methods)
    if request.descriptors or not any(method.texts == "descriptors" for method in methods):
        return methods
    advice = "describe a file of descriptors and name its set with --descriptors"
    if "clip-d" in request.methods:
        raise SettingsError(f"method 'clip-d' needs descriptors; {advice}")
    screen.say(f"CLIP-D is left out: {advice}", "yellow")
    return tuple(method for method in methods if method.texts != "descriptors")


def name_evaluation(
    lake: Lake,
    collection: str,
    known: KnownClasses,
    sets: tuple[EmbeddedSet | None, ...],
    chosen: ChosenEvaluation,
) -> Evaluation:
    """The evaluation of these images, texts and settings: the same call gives the same name again."""
    content = {
        "snapshot": known.snapshot,
        "sets": [f"{one.name}/{one.content_hash}" if one else None for one in sets],
        **chosen.decided_by,
        **({"decisions": known.decisions_hash} if known.decisions_hash else {}),
    }
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=6).hexdigest()
    return Evaluation(lake, f"{collection}-{digest}", collection)


def hash_rules(settings: Settings) -> str:
    """Names what decides which texts each variant has, so that an evaluation with other rules is another one."""
    rules = settings.descriptions.model_dump_json(exclude={"batch_size"})
    return hashlib.blake2b(rules.encode(), digest_size=3).hexdigest()


def group_by_lacking(
    images: pl.DataFrame, trials: list[Trial], results: pl.DataFrame
) -> list[tuple[list[Trial], pl.DataFrame]]:
    """The trials that images lack, and these images, for each such list of trials; none for images that lack none."""
    wanted = pl.DataFrame(trials, schema=["method", "seed"], orient="row").with_columns(
        pl.col("seed").cast(pl.Int32), number=pl.int_range(pl.len())
    )
    lacking = images.select("image_id").join(wanted, how="cross")
    lacking = lacking.join(results, on=["image_id", "method", "seed"], how="anti")
    of_image = lacking.group_by("image_id").agg(pl.col("number").sort())
    found = images.join(of_image, on="image_id", maintain_order="left")
    return [
        ([trials[number] for number in key[0]], rows.drop("number"))
        for key, rows in found.group_by("number", maintain_order=True)
    ]


def run_trials(evaluating: Evaluating, trials: list[Trial], images: pl.DataFrame) -> None:
    """The trials have results for the images. If Ray loses workers or nodes, the chain begins again with what is left."""
    evaluation, screen = evaluating.evaluation, evaluating.screen
    progress = Progress(images.height, screen.console, evaluation.name)
    screen.say(
        f"{images.height:,} images, {len(trials):,} trials of {len({name for name, _ in trials}):,} methods"
    )
    say_ray_starts(screen)
    with ray_runtime() as runtime:
        screen.detail(f"{runtime}; Ray's own log: {runtime.log_file}")

        def attempt(rows: pl.DataFrame, resources: Resources) -> None:
            progress.begin(images.height - rows.height)
            with retries_allowed():
                chain = evaluate_chain(evaluating, trials, rows, resources)
            with progress, open_blocks(chain, evaluating.stop) as blocks:
                for block in blocks:
                    for receipt in block.to_pylist():
                        progress.add({receipt["failure"] or LABELLED: receipt["images"]})

        def find_rest() -> pl.DataFrame:
            groups = group_by_lacking(images, trials, evaluation.read_results())
            return pl.concat([images.clear(), *(rows for _, rows in groups)])

        with suppress(WorkStoppedError):
            Recovery(runtime, evaluating.settings.run, screen, evaluating.stop).run(
                images, attempt, find_rest
            )


def evaluate_chain(
    evaluating: Evaluating, trials: list[Trial], images: pl.DataFrame, resources: Resources
) -> "Dataset":
    """Images in, receipts of stored results out, as one chain of Ray Data calls."""
    from ray.data import ActorPoolStrategy

    evaluation, settings = evaluating.evaluation, evaluating.settings
    chain: Dataset = (
        # read → fetch → decode: as many rows out as in, with one bounded RGB image (about 1 MB) or a failure
        decoded_images(Reading(lake=evaluation.lake, settings=settings), images, resources)
        # evaluate: a row out for each image and trial, 200 bytes each; an actor holds a GPU and the models
        .map_batches(
            EvaluateImages,
            fn_constructor_kwargs={
                "evaluation": evaluation,
                "pickled_spec": evaluating.chosen.pickled_spec,
                "texts": evaluating.texts,
                "trials": trials,
                "device": resources.device,
                "threads": resources.threads_per_actor,
            },
            batch_format="pyarrow",
            batch_size=resources.batch_size,
            compute=ActorPoolStrategy(
                min_size=resources.actors,
                max_size=resources.max_actors,
                initial_size=resources.initial_actors,
            ),
            num_cpus=resources.cpus_per_actor,
            num_gpus=resources.gpus_per_actor,
            memory=resources.memory_per_actor_bytes or None,
            max_restarts=TRIES,
            max_task_retries=TRIES,
        )
        # write: the rows of a block in, its receipt out; milliseconds
        .map_batches(
            partial(write_results, evaluation=evaluation),
            **WHOLE_BLOCKS,
            num_cpus=WRITE_CPUS,
            max_retries=TRIES,
        )
    )
    chain.set_name(evaluation.name)
    bound_waiting(chain.context, resources, settings.run, evaluating.stop)
    return chain
