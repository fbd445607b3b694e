"""Feed broken model files to every frontend that reads files.

    python -m tests.fuzz [--cases 1000] [--seed 0]

Each file must be accepted, or refused with a diagnostic, within the time and memory limits. Any other file is kept in
`fuzz-failures/`, and the run ends with exit code 1.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz.worker import Worker


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        files = _Files(Path(folder), Random(options.seed))
        worker = Worker()
        for _ in range(options.cases):
            path = files.next()
            outcome = worker.ask(path)
            found[outcome.split(":")[0]] += 1
            if not outcome.startswith(("taken", "E")):
                _keep(path, outcome)
    print(dict(found.most_common()))
    return int(any(not o.startswith(("taken", "E")) for o in found))


class _Files:
    """Generates broken files."""

    def __init__(self, folder: Path, random: Random) -> None:
        from tests.fuzz.seeds import PROJECT, onnx_seeds, write_skops_seed, write_torch_seeds, write_weight_seeds

        self._folder, self._random = folder, random
        self._models = onnx_seeds()
        archives = [*write_torch_seeds(folder), *write_weight_seeds(folder), write_skops_seed(folder)]
        self._others = [(path.suffix, path.read_bytes()) for path in archives] + [(".toml", PROJECT.encode())]

    def next(self) -> Path:
        kind = self._random.random()
        suffix, content = self._onnx(kind) if kind < _ONNX else self._other()
        path = self._folder / ("edgec.toml" if suffix == ".toml" else f"broken{suffix}")
        path.write_bytes(content)
        return path

    def _onnx(self, kind: float) -> tuple[str, bytes]:
        from tests.fuzz.mutate import mutated_bytes, mutated_model

        model = self._random.choice(self._models)
        if kind < _ONNX * 2 / 3:
            return ".onnx", mutated_model(model, self._random)
        return ".onnx", mutated_bytes(model.SerializeToString(), self._random)

    def _other(self) -> tuple[str, bytes]:
        from tests.fuzz.mutate import mutated_bytes, mutated_member

        suffix, content = self._random.choice(self._others)
        whole = zipfile.is_zipfile(io.BytesIO(content)) and self._random.random() < _WHOLE
        return suffix, (mutated_member if whole else mutated_bytes)(content, self._random)


_ONNX = 0.8
"""The share of ONNX files."""

_WHOLE = 0.7
"""The share of archives that are valid except for a broken member."""


def _keep(path: Path, outcome: str) -> None:
    folder = Path("fuzz-failures")
    folder.mkdir(exist_ok=True)
    number = len(list(folder.iterdir())) // 2
    (folder / f"{number:03}{path.suffix}").write_bytes(path.read_bytes())
    (folder / f"{number:03}.txt").write_text(outcome, encoding="utf-8")
    print(f"{number:03}: {outcome.strip().splitlines()[-1][:160]}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
