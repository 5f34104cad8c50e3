"""The built wheel and sdist: whole, and runnable far from the clone."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
PACKAGES = ("replenishment", "server_access", "model_store", "stream_app")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel puts beside other packages."""
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder / "built"), versions=["standard"])
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder / "site")
    return folder / "site"


def run(unpacked: Path, *command: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RESTOCK_", "PYTHON"))}
    environment = own | {"PYTHONPATH": str(unpacked)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=unpacked,
        env=environment,
        capture_output=True,
        timeout=100,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_has_every_package_with_its_files_and_nothing_else(unpacked: Path) -> None:
    there = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert there == set(PACKAGES)
    for package in PACKAGES:
        wanted = {
            path.relative_to(ROOT)
            for path in (ROOT / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert {one for one in wanted if not (unpacked / one).exists()} == set()


@pytest.mark.timeout(300)
def test_its_commands_run_from_there_and_not_from_the_clone(unpacked: Path) -> None:
    where = run(unpacked, "-c", "import server_access, stream_app; print(server_access.__file__, stream_app.__file__)")
    assert all(Path(one).is_relative_to(unpacked) for one in where.split())
    assert "worker" in run(unpacked, "-m", "stream_app.cli.main", "--help")
    assert "RESTOCK_KAFKA " in run(unpacked, "-m", "stream_app.cli.main", "config")
    assert "--speed" in run(unpacked, "-m", "stream_app.cli.main", "demo", "--help")
    assert "train" in run(unpacked, "-m", "model_store.cli.main", "--help")
    assert "Read" in run(unpacked, "-m", "stream_app.cli.main", "acl", "kafka")


def test_both_commands_are_entry_points(unpacked: Path) -> None:
    (points,) = unpacked.glob("*.dist-info/entry_points.txt")
    text = points.read_text()
    assert "restock = stream_app.cli.main:main" in text and "model-store = model_store.cli.main:main" in text
    assert "kafkabatch = stream_app.kafka.transport:Transport" in text


def test_the_sdist_has_what_the_wheel_is_built_from_and_the_tests(tmp_path: Path) -> None:
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(sdist) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    assert {f"{package}/__init__.py" for package in PACKAGES} <= names
    assert {"pyproject.toml", "LICENSE", "SECURITY.md", "locks/worker.txt", "tests/conftest.py"} <= names
