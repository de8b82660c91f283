"""Imports go down only, between packages and between files, and the core knows no Ray, no Arrow and no store."""

import ast
from collections.abc import Iterator
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
    "laketag.pipeline.progress",
    "laketag.pipeline.cluster",
    "laketag.pipeline.images",
    "laketag.pipeline.lake",
    "laketag.pipeline.store",
    "laketag.pipeline.descriptions",
    "laketag.pipeline.settings_file",
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
"""Packages that hold nothing but others."""


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Dotted names that the file imports anywhere in it, with their lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def layer_of(module: str) -> int | None:
    """The place of the module's layer, 0 at the top; None for what is not ours."""
    return next((n for n, name in enumerate(LAYERS) if f"{module}.".startswith(f"{name}.")), None)


@pytest.mark.parametrize("module", [name for name in MODULES if name not in BARE])
def test_every_module_imports_only_its_own_package_and_those_below(module: str) -> None:
    own = layer_of(module)
    assert own is not None, f"{module} belongs to no layer; name it in LAYERS"
    for imported, line in imports(MODULES[module]):
        other = layer_of(imported)
        assert other is None or other >= own, f"{module}:{line} imports {imported}, which is above it"


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


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith(CORE)])
def test_the_core_imports_no_ray_no_arrow_and_no_store(module: str) -> None:
    for imported, line in imports(MODULES[module]):
        assert imported.partition(".")[0] not in NOT_IN_CORE, f"{module}:{line} imports {imported}"


@pytest.mark.parametrize(
    "module", [name for name in MODULES if not name.startswith("laketag.pipeline.store")]
)
def test_only_the_store_makes_clients(module: str) -> None:
    for imported, line in imports(MODULES[module]):
        assert imported.partition(".")[0] not in FILESYSTEM_MAKERS, f"{module}:{line} imports {imported}"


def test_our_modules_are_imported_under_one_name() -> None:
    """In a checkout ``pipeline`` could be imported beside ``laketag.pipeline``, and every class would exist twice."""
    wrong = [
        f"{path}:{line} imports {imported}"
        for path in PYTHON_FILES
        for imported, line in imports(path)
        if imported.partition(".")[0] in CARD_FOLDERS
    ]
    assert not wrong, "\n".join(wrong)
