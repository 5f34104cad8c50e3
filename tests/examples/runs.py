"""Examples run as their pages say: the commands of a README in a copy of its folder, and its tables as numbers."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = {"python": [sys.executable], "restock": [sys.executable, "-m", "stream_app.cli.main"]}


def copied(name: str, to: Path) -> Path:
    """Return a copy of an example's folder."""
    return Path(shutil.copytree(EXAMPLES / name, to / name))


def run_commands(folder: Path, block: int) -> None:
    """Run the commands of a block of the README, the first is 0; all must succeed."""
    blocks = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    path = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    for line in blocks[block].splitlines():
        program, *arguments = shlex.split(line)
        done = subprocess.run(
            [*PROGRAMS[program], *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()


def table(folder: Path, first: str) -> dict[str, dict[str, str]]:
    """Return the rows of the README's table whose first column is called so, by that column."""
    lines = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("|")]
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {first} |"))
    head = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows = {}
    for line in lines[start + 2 :]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0]] = dict(zip(head, cells, strict=True))
    return rows
