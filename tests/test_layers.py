"""The house: imports go down only, the core knows no Ray, no Arrow and no store, and tests mirror the tree."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (
    "laketag.jobs",
    "laketag.demo",
    "laketag.pipeline.flows",
    "laketag.pipeline.stages",
    "laketag.pipeline.classifier",
    "laketag.pipeline.models",
    "laketag.pipeline.pages",
    "laketag.pipeline.progress",
    "laketag.pipeline.cluster",
    "laketag.pipeline.images",
    "laketag.pipeline.lake",
    "laketag.pipeline.store",
    "laketag.pipeline.descriptions",
    "laketag.pipeline.review",
    "laketag.pipeline.calibration",
    "laketag.pipeline.evaluation",
    "laketag.pipeline.reporting",
    "laketag.pipeline.settings_file",
    "laketag.pipeline.screen",
    "laketag.pipeline.config",
    "laketag.schemas",
    "laketag.pipeline.version",
    "laketag.pipeline.errors",
)
"""From the top to the bottom, one package or module each; a module imports its own package and those below."""
CORE = ("laketag.pipeline.classifier", "laketag.pipeline.descriptions")
NOT_IN_CORE = {"ray", "pyarrow", "fsspec", "s3fs", "obstore", "polars"}
FILESYSTEM_MAKERS = {"fsspec", "s3fs", "obstore"}
CARD_FOLDERS = ("pipeline", "jobs", "schemas", "demo")


def name_of(path: Path) -> str:
    return ".".join(("laketag", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {name_of(path): path for folder in CARD_FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}
PYTHON_FILES = [*MODULES.values(), ROOT / "laketag" / "__init__.py", *sorted((ROOT / "tests").rglob("*.py"))]
BARE = ("laketag", "laketag.pipeline")
"""Packages that contain nothing but others."""
TESTED_ELSEWHERE = {
    "laketag.pipeline.classifier.baselines": "tests/classifier/test_scoring.py compares each formula with plain loops",
    "laketag.pipeline.classifier.robust_views": "tests/classifier/test_scoring.py compares each formula with plain loops",
    "laketag.pipeline.classifier.crop_encoder": "tests/classifier/test_classifier.py compares its crops with a plain loop",
    "laketag.pipeline.classifier.evaluation_spec": "tests/end_to_end/test_evaluate.py loads in actors what it describes",
    "laketag.pipeline.classifier.budget_trials": "tests/classifier/test_evaluator.py compares it with what label writes",
    "laketag.pipeline.classifier.choose_evaluation": "tests/end_to_end/test_evaluate.py evaluates what it chooses",
    "laketag.pipeline.flows.calibrate_labels": "tests/end_to_end/test_calibrate.py calibrates and labels by it",
    "laketag.pipeline.flows.redecided_labels": "tests/flows/test_recalibrate_labels.py publishes what it decides",
    "laketag.pipeline.flows.score_images": "tests/end_to_end/test_calibrate.py scores a sample with it",
    "laketag.pipeline.flows.evaluate_images": "tests/end_to_end/test_evaluate.py runs it whole, twice and with more trials",
    "laketag.pipeline.flows.evaluate_request": "a value without logic; tests/jobs/test_evaluate.py fills it",
    "laketag.pipeline.flows.evaluated_texts": "tests/end_to_end/test_evaluate.py has texts of all kinds",
    "laketag.pipeline.flows.evaluation_report": "tests/end_to_end/test_evaluate.py reads the report and its files",
    "laketag.pipeline.flows.decoded_images": "tests/end_to_end/test_lake.py labels what it decodes",
    "laketag.pipeline.flows.report_facts": "tests/flows/test_report_run.py reads them from lakes",
    "laketag.pipeline.flows.report_cards": "tests/flows/test_report_run.py and tests/pages/test_report_in_chromium.py show them",
    "laketag.pipeline.flows.report_course": "tests/flows/test_report_run.py adds up what it shows",
    "laketag.pipeline.flows.report_labels": "tests/pages/test_report_in_chromium.py compares what it shows with the tables",
    "laketag.pipeline.flows.report_stories": "tests/pages/test_report_in_chromium.py compares them with the tables",
    "laketag.pipeline.flows.report_page": "tests/flows/test_report_run.py and tests/pages/test_report_in_chromium.py read it",
    "laketag.pipeline.flows.shown_images": "tests/flows/test_report_run.py reads images that are gone, too",
    "laketag.pipeline.stages.tell_stories": "tests/pages/test_report_in_chromium.py counts the crops of its stories",
    "laketag.schemas.calibrations": "a contract; tests/lake/test_calibrations.py writes by it",
    "laketag.schemas.staged_labels": "a contract; tests/stages/test_write_labels.py writes by it",
    "laketag.schemas.evaluations": "a contract; tests/lake/test_evaluations.py writes by it",
    "laketag.pipeline.classifier.deciding": "tests/classifier/test_fingerprint.py changes everything that it returns",
    "laketag.pipeline.classifier.label_settings": "tests/classifier/test_fingerprint.py changes each setting",
    "laketag.pipeline.classifier.methods": "tests/classifier/test_classifier.py compares each method with a plain loop",
    "laketag.pipeline.classifier.views": "tests/classifier/test_classifier.py compares its batches with a plain loop",
    "laketag.pipeline.classifier.spec": "tests/end_to_end/test_lake.py loads in actors what it describes",
    "laketag.pipeline.cluster.actor_shape": "tests/cluster/test_resources.py tries it on many clusters",
    "laketag.pipeline.cluster.nodes": "tests/cluster/test_resources.py and test_shortfalls.py use it on drawn nodes",
    "laketag.pipeline.cluster.label_actors": "tests/cluster/test_logical_gpus.py counts the actors of a run",
    "laketag.pipeline.cluster.node_watch": "tests/cluster/test_lost_nodes.py takes a node away for good",
    "laketag.pipeline.config": "declarations; tests/test_config.py tries their rules",
    "laketag.pipeline.descriptions.contents": "a value without logic; tests/descriptions/test_containers.py reads it",
    "laketag.pipeline.descriptions.embedded_set": "a value without logic; tests/classifier/test_fingerprint.py uses it",
    "laketag.pipeline.flows.nothing_to_do": "tests/jobs/test_label.py labels twice",
    "laketag.pipeline.flows.index_request": "tests/jobs/test_index.py gives sources the options of other kinds",
    "laketag.pipeline.flows.label_attempts": "tests/cluster/test_lost_nodes.py and tests/chaos/test_poison.py need several",
    "laketag.pipeline.flows.label_images": "tests/end_to_end/test_lake.py and tests/chaos/test_killed.py run it whole",
    "laketag.pipeline.flows.nightly": "tests/end_to_end/test_nights.py runs whole ones, tests/jobs/test_nightly.py failing ones",
    "laketag.pipeline.lake.image_queries": "tests/lake/test_queries.py asks each of them",
    "laketag.pipeline.lake.record_queries": "tests/lake/test_queries.py asks each of them",
    "laketag.pipeline.lake.opened_lake": "tests/lake/test_queries.py opens lakes and other folders",
    "laketag.pipeline.lake.nights": "tests/end_to_end/test_nights.py reads the table",
    "laketag.pipeline.models.child_process": "tests/classifier/test_choose_classifier.py calls functions in it",
    "laketag.pipeline.models.remembered": "tests/classifier/test_choose_classifier.py changes what an answer depends on",
    "laketag.pipeline.models.choose_backbone": "tests/flows/test_describe_classes.py embeds with it",
    "laketag.schemas.nights": "a contract; tests/end_to_end/test_nights.py writes by it",
    "laketag.pipeline.flows.suspects": "tests/chaos/test_poison.py has images that kill their process",
    "laketag.pipeline.images.column_types": "tests/images/test_index_columns.py tries every type and name",
    "laketag.pipeline.images.embedded_values": "tests/images/test_rows_without_bytes.py reads with it",
    "laketag.pipeline.images.fetch_batch": "tests/images/test_fetch.py and test_fetch_rows.py read batches",
    "laketag.pipeline.images.fetch_results": "tests/images/test_fetch.py reads batches whose store is at fault",
    "laketag.pipeline.images.image_reading": "a value without logic; tests/images/test_fetch_objects.py reads by it",
    "laketag.pipeline.images.findings": "counters without logic; tests/flows/test_index_images.py reads them",
    "laketag.pipeline.images.witnesses": "tests/images/test_doubts.py asks each kind of them",
    "laketag.pipeline.images.layout_files": "tests/images/test_layouts.py reads every layout, and changes each file of them",
    "laketag.pipeline.images.layout_imagenet": "tests/images/test_layouts.py reads a miniature of each form",
    "laketag.pipeline.images.layout_names": "a list of names; tests/images/test_layouts.py has a miniature of each",
    "laketag.pipeline.images.layout_splits": "tests/images/test_layouts.py reads a miniature of each data set",
    "laketag.pipeline.images.hugging_face": "tests/flows/test_published_sources.py reads what datasets write",
    "laketag.pipeline.images.read_source": "tests/flows/test_published_sources.py reads each kind of source",
    "laketag.pipeline.images.image_failure": "a value without logic; tests/images/test_decode.py causes each reason",
    "laketag.pipeline.progress.metrics": "tests/cluster/test_submit.py reads what a run exports",
    "laketag.pipeline.stages.loading": "tests/chaos/test_poison.py has an actor that dies while it loads",
    "laketag.pipeline.store.cloud_filesystem": "tests/store/test_cloud_objects.py creates objects on Azurite with it",
    "laketag.pipeline.flows.review_in": "tests/jobs/test_review.py reads files of each tool, and files with each problem",
    "laketag.pipeline.flows.review_out": "tests/jobs/test_review.py writes files for each tool",
    "laketag.pipeline.flows.review_page": "tests/flows/test_serve_review.py sends it requests, and presses keys in a browser",
    "laketag.pipeline.flows.review_pictures": "tests/flows/test_serve_review.py looks at pictures, and at one that is gone",
    "laketag.pipeline.flows.review_request": "a value without logic; tests/flows/test_choose_for_review.py fills it",
    "laketag.pipeline.review": "tests/jobs/test_review.py writes and reads each format, and refuses what is none",
    "laketag.pipeline.lake.decision_status": "tests/lake/test_decided_rows.py lists decisions with each status",
    "laketag.schemas.decisions": "a contract; tests/lake/test_decisions.py writes by it",
    "laketag.pipeline.lake.find_garbage": "tests/lake/test_garbage.py finds all kinds with it",
    "laketag.pipeline.lake.hashed_rows": "tests/lake/test_work_keys.py compares keys with it",
    "laketag.pipeline.lake.lease_holder": "tests/lake/test_lease.py has holders that live, end and fall silent",
    "laketag.pipeline.lake.layout": "tests/lake/test_verification.py puts files where none belong",
    "laketag.pipeline.lake.verified": "tests/lake/test_verification.py reads what it holds",
    "laketag.pipeline.lake.verify_index": "tests/lake/test_verification.py breaks what it checks",
    "laketag.pipeline.lake.verify_labels": "tests/lake/test_verification.py breaks what it checks",
    "laketag.pipeline.lake.verify_files": "tests/lake/test_verification.py breaks what it reads",
    "laketag.pipeline.lake.verify_kept": "tests/lake/test_kept_scores.py breaks what it checks",
    "laketag.pipeline.classifier.read_labels": "tests/classifier/test_classifier.py reads every label with it",
    "laketag.pipeline.flows.match_embeddings": "tests/end_to_end/test_kept_embeddings.py labels by it",
    "laketag.pipeline.flows.label_chain": "tests/end_to_end/test_lake.py labels by it",
    "laketag.pipeline.stages.evidence_boxes": "tests/stages/test_label_images.py has boxes of shrunk images",
    "laketag.pipeline.stages.kept_embeddings": "tests/flows/test_kept_work.py reads embeddings by it",
    "laketag.pipeline.stages.relabel_kept": "tests/flows/test_kept_work.py labels again with it",
    "laketag.pipeline.lake.kept_tables": "declarations; tests/lake/test_kept_scores.py writes by them",
    "laketag.pipeline.lake.publish_kept": "tests/lake/test_kept_scores.py publishes rows that were staged twice",
    "laketag.pipeline.stages.kept_rows": "tests/stages/test_label_images.py has rows with scores",
    "laketag.schemas.kept": "a contract; tests/lake/test_kept_scores.py writes by it",
    "laketag.pipeline.store.files": "tests/lake/test_lease.py reads and removes leases with it",
    "laketag.pipeline.store.readers": "tests/images/test_fetch_objects.py and test_other_stores.py read with each of them",
    "laketag.pipeline.store.s3_clients": "tests/store/test_s3_access.py opens every client",
    "laketag.pipeline.store.versioned_file": "tests/images/test_fetch_rows.py reads tables through it",
    "laketag.jobs.description_report": "tests/flows/test_report_descriptions.py prints a report",
    "laketag.jobs.options": "declarations without logic; tests/end_to_end/test_lake.py types them",
    "laketag.jobs.query_tables": "declarations without logic; tests/jobs/test_query.py runs each query",
    "laketag.pipeline.store.looks": "tests/store/test_s3_objects.py and test_cloud_objects.py look at objects",
    "laketag.schemas.descriptions": "a contract; tests/flows/test_describe_classes.py writes by it",
    "laketag.schemas.failures": "the closed list; tests/jobs/test_label.py and every test of a reason read it",
    "laketag.schemas.forgotten": "a contract; tests/lake/test_forgotten.py writes by it",
    "laketag.schemas.image_index": "a contract; tests/lake/test_snapshots.py writes by it",
    "laketag.schemas.plan": "a contract; tests/lake/test_plan.py writes by it",
    "laketag.demo.colours": "tests/demo/test_scenes.py draws with it",
    "laketag.demo.geometry": "tests/demo/test_scenes.py draws with it",
    "laketag.demo.grounds": "tests/demo/test_scenes.py draws with it",
    "laketag.demo.objects": "tests/demo/test_scenes.py draws with it",
    "laketag.demo.training": "not installed; tests/demo/test_model.py tests the model that it wrote",
}
"""Modules (or packages of them) without a test file of their name: which tests run them, and why these."""


@cache
def imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Dotted names that the file imports anywhere in it, with their lines."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            found += ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
    return tuple(found)


def layer_of(module: str) -> int | None:
    """The place of the module's layer, 0 at the top; None for what is not ours."""
    return next((n for n, name in enumerate(LAYERS) if f"{module}.".startswith(f"{name}.")), None)


def imported_roots(modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The first part of each name that these modules import, and a sentence that says where."""
    for module in modules:
        for imported, line in imports(MODULES[module]):
            yield imported.partition(".")[0], f"{module}:{line} imports {imported}"


def test_every_module_belongs_to_a_layer() -> None:
    assert [name for name in MODULES if name not in BARE and layer_of(name) is None] == [], (
        "name it in LAYERS"
    )


def test_every_module_imports_only_its_own_package_and_those_below() -> None:
    upwards = [
        f"{module}:{line} imports {imported}, which is above it"
        for module, path in MODULES.items()
        for imported, line in imports(path)
        if (own := layer_of(module)) is not None and (other := layer_of(imported)) is not None and other < own
    ]
    assert upwards == []


def test_no_circle_of_files() -> None:
    """Imports inside functions and under TYPE_CHECKING count too."""
    graph: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        found = {imported for imported, _ in imports(path)}
        files = {name if name in MODULES else name.rpartition(".")[0] for name in found}
        graph[module] = {name for name in files if name in MODULES} - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_core_imports_no_ray_no_arrow_and_no_store() -> None:
    core = [name for name in MODULES if name.startswith(CORE)]
    assert core
    assert [where for root, where in imported_roots(core) if root in NOT_IN_CORE] == []
    contracts = [
        f"{name}:{line}"
        for name in core
        if name.startswith(CORE[0])
        for imported, line in imports(MODULES[name])
        if imported.startswith("laketag.schemas")
    ]
    assert contracts == [], "they import polars, and the classifier runs on machines that have only torch"


def test_only_the_store_makes_clients() -> None:
    others = [name for name in MODULES if not name.startswith("laketag.pipeline.store")]
    assert [where for root, where in imported_roots(others) if root in FILESYSTEM_MAKERS] == []


def test_our_modules_are_imported_under_one_name() -> None:
    """In a checkout ``pipeline`` could be imported beside ``laketag.pipeline``, and every class would exist twice."""
    wrong = [
        f"{path}:{line} imports {imported}"
        for path in PYTHON_FILES
        for imported, line in imports(path)
        if imported.partition(".")[0] in CARD_FOLDERS
    ]
    assert not wrong, "\n".join(wrong)


def own_test(module: str) -> Path:
    """The test file that has the module's name: of laketag.pipeline.lake.plan it is tests/lake/test_plan.py."""
    *folders, name = module.removeprefix("laketag.").removeprefix("pipeline.").split(".")
    return ROOT.joinpath("tests", *folders, f"test_{name}.py")


def test_every_module_has_the_test_file_of_its_name_or_a_reason() -> None:
    without = {
        module
        for module, path in MODULES.items()
        if path.stem != "__init__" and not own_test(module).is_file()
    }
    covered = {
        name: {module for module in without if f"{module}.".startswith(f"{name}.")}
        for name in TESTED_ELSEWHERE
    }
    assert without - set().union(*covered.values()) == set(), (
        "write a test, or a reason into TESTED_ELSEWHERE"
    )
    assert [name for name, modules in covered.items() if not modules] == [], "these have a test or are gone"
    named = re.findall(r"tests/[\w/]+\.py", " ".join(TESTED_ELSEWHERE.values()))
    assert [name for name in named if not (ROOT / name).is_file()] == []
