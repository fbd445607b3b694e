"""Checks the wheel in an empty environment, without extras, with the commands of `tests/without_extras.py`.

    python -m tests.wheel_check dist/edgec-0.1.0-py3-none-any.whl

Downloads the packages that edgec requires, at the versions in constraints.txt. Exits with 1 if a command's exit code or
output is wrong.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.without_extras import ASKED, Outcome, faults, write_files

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bin_ = _environment(folder / "environment", wheel)
        work = folder / "work"
        work.mkdir()
        write_files(work)
        found = [fault for asked in ASKED for fault in faults(asked, _run(bin_ / "edgec", asked.words, work))]
    print("\n".join(found) or f"{wheel.name}: {len(ASKED)} commands without extras, as they have to be")
    return int(bool(found))


def _environment(folder: Path, wheel: Path) -> Path:
    """Create an environment with the wheel and its requirements; returns its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True)
    return folder / "bin"


def _run(program: Path, words: str, work: Path) -> Outcome:
    done = subprocess.run(
        [str(program), *words.split()],
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": str(program.parent), "HOME": str(work)},
        check=False,
    )
    return Outcome(done.returncode, done.stdout)


if __name__ == "__main__":
    sys.exit(main())
