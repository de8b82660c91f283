"""The public Python API: what ``import laketag`` offers, from a script and in a notebook, and what it does not load."""

import inspect
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import laketag
from laketag.jobs.demo import write_settings
from tests.cluster.current_folder import assert_of_laketag_alone, run_as_by_uv, write_shadows
from tests.end_to_end.pictures import encoded, picture
from tests.end_to_end.shared_ray import SharedRay

STEPS = (
    "import laketag, rich.console",
    "indexed = laketag.index('photos', 'lake', 'photos', class_from_folder=True)\n"
    "assert (indexed.collection, indexed.images, indexed.with_class) == ('photos', 2, 2)",
    "described = laketag.describe('classes.txt', 'lake', 'animals', settings='settings.toml')\n"
    "assert described.is_new\n"
    "assert described.texts['class_name'].to_list() == ['cat', 'dog']",
    "chosen = {'settings': 'settings.toml', 'override': ['method.name=clip']}\n"
    "report = laketag.label('lake', 'photos', 'animals', **chosen, console=rich.console.Console())\n"
    "assert (report.planned, report.labelled, report.failures, report.exit_code) == (2, 2, {}, 0)",
    "again = laketag.label('lake', 'photos', 'animals', **chosen)\n"
    "assert (again.runs, again.index_rows, again.exit_code) == ((), 2, 0)",
    "labels = laketag.labels('lake', collection='photos').collect()\n"
    "assert labels.height == laketag.runs('lake').collect()['labelled'].sum() == 2\n"
    "assert laketag.sql('lake', 'SELECT count(*) AS images FROM labels').collect().item() == 2\n"
    "print('all labelled')",
)
"""In a folder with two images."""


def run_script(folder: Path, env: Mapping[str, str]) -> str:
    """What a plain script prints whose folder is not the current one, in which nothing can be imported meanwhile."""
    script = folder.parent / "script.py"
    script.write_text("\n".join(STEPS))
    write_shadows(folder)
    lines = run_as_by_uv([sys.executable, str(script)], folder, env)
    assert_of_laketag_alone(lines[:-1])
    return "\n".join([*lines, ""])


def run_notebook(folder: Path) -> str:
    """What the cells of a notebook print, one for each step."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(step) for step in STEPS])
    NotebookClient(notebook, resources={"metadata": {"path": folder}}, timeout=300).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    printed = [output.text for output in outputs if output.get("name") == "stdout"]
    rich = [output.data["text/plain"] for output in outputs if output.output_type == "display_data"]
    return "".join([*rich, *printed])


def put_photos(folder: Path) -> None:
    """Two images, two classes and the settings of a tiny model are in the folder."""
    for seed, name in enumerate(("cats/one.jpg", "dogs/two.jpg")):
        file = folder / "photos" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(encoded(picture(seed)))
    (folder / "classes.txt").write_text("cat\ndog\n")
    write_settings(folder)


def assert_is_quiet_without_a_console(printed: str) -> None:
    assert "snapshot" not in printed
    assert printed.count("images in the index") == 1  # and with one, what the command prints
    assert printed.endswith("all labelled\n")


def test_a_lake_is_made_and_queried_from_a_script(tmp_path: Path, shared_ray: SharedRay) -> None:
    """It joins a Ray that runs, of which it prints nothing, and whose workers import nothing from the current folder."""
    folder = tmp_path / "person"
    put_photos(folder)
    shared_ray.join()
    assert_is_quiet_without_a_console(run_script(folder, shared_ray.env))


@pytest.mark.cluster
@pytest.mark.usefixtures("without_ray")
def test_a_lake_is_made_and_queried_from_a_notebook(tmp_path: Path) -> None:
    """Its kernel has replaced stdout and stderr, and starts a Ray of its own."""
    put_photos(tmp_path)
    assert_is_quiet_without_a_console(run_notebook(tmp_path))


def test_import_laketag_loads_nothing_else_of_laketag_and_no_large_library() -> None:
    large = {"polars", "ray", "torch", "pydantic", "typer", "rich"}
    script = (
        "import sys, laketag\n"
        f"print(*sorted(name for name in sys.modules if name.startswith('laketag.') or name in {large}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", laketag.__all__)
def test_every_public_name_is_a_documented_function_with_plain_types(name: str) -> None:
    function = getattr(laketag, name)
    assert name in dir(laketag)
    assert inspect.getdoc(function)
    parameters = inspect.signature(function).parameters.values()
    assert all(parameter.annotation is not parameter.empty for parameter in parameters)
    assert "typer" not in str(inspect.signature(function))


def test_the_package_knows_its_version_and_no_other_names() -> None:
    assert laketag.__version__ == version("laketag")
    with pytest.raises(AttributeError, match="module 'laketag' has no attribute 'lables'"):
        laketag.lables  # type: ignore[attr-defined]  # noqa: B018
