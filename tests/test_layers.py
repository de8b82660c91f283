"""Imports go down only, and the core knows no Ray, no Arrow and no store."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"jobs"},
    {"demo"},
    {"pipeline.flows"},
    {
        "pipeline.stages",
        "pipeline.progress",
        "pipeline.run_metrics",
        "pipeline.queries",
    },
    {"pipeline.storage", "pipeline.models", "pipeline.classifier", "pipeline.descriptions"},
    {"pipeline.cluster", "pipeline.metrics"},
    {"pipeline.lake"},
    {"pipeline.config"},
    {"pipeline.errors", "pipeline.version", "schemas"},
]
"""From the top to the bottom; a module may import its own layer and those below."""
CORE = ("pipeline/classifier", "pipeline/descriptions")
NOT_IN_CORE = {"ray", "pyarrow", "fsspec", "s3fs", "obstore", "polars", "schemas"}
FILESYSTEM_MAKERS = {"fsspec", "s3fs", "obstore"}


def modules() -> list[Path]:
    return sorted(
        path for top in ("jobs", "pipeline", "schemas", "demo") for path in (ROOT / top).rglob("*.py")
    )


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def layer_of(module: str) -> int | None:
    matches = [
        (len(name), depth)
        for depth, names in enumerate(LAYERS)
        for name in names
        if module == name or module.startswith(name + ".")
    ]
    return max(matches)[1] if matches else None


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_every_module_imports_only_its_own_layer_and_those_below(path: Path) -> None:
    own = layer_of(name_of(path))
    if own is None:
        assert name_of(path) == "pipeline", f"{path} belongs to no layer; name it in LAYERS"
        return
    for imported, line in imports(path):
        other = layer_of(imported)
        assert other is None or other >= own, f"{path}:{line} imports {imported}, which lies above it"


@pytest.mark.parametrize(
    "path", [p for p in modules() if str(p.relative_to(ROOT)).startswith(CORE)], ids=name_of
)
def test_the_core_imports_no_ray_no_arrow_and_no_store(path: Path) -> None:
    for imported, line in imports(path):
        assert imported.partition(".")[0] not in NOT_IN_CORE, f"{path}:{line} imports {imported}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_only_storage_makes_filesystems(path: Path) -> None:
    if path.is_relative_to(ROOT / "pipeline" / "storage"):
        return
    for imported, line in imports(path):
        assert imported.partition(".")[0] not in FILESYSTEM_MAKERS, f"{path}:{line} imports {imported}"
