"""A sample of Apple's own op tests, run through the interpreter; tests/conformance/mil_interpreter runs all."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from tests import ROOT
from tests.conformance.mil_interpreter import table

REPOSITORY = ROOT.parent
FILES = (
    "iOS14/test_pool.py",
    "iOS14/test_control_flow.py",
    "iOS16/test_constexpr_ops.py",
    "iOS17/test_elementwise_unary.py",
    "iOS17/test_quantization.py",
    "iOS18/test_states.py",
    "iOS18/test_transformers.py",
)


def test_a_sample_of_apples_tests(tmp_path):
    package = Path(next(iter(importlib.util.find_spec("coremltools").submodule_search_locations)))
    results = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-c", "/dev/null"]
    command += ["--rootdir", ".", "-p", "tests.conformance.mil_interpreter.plugin", "--mil-per-test", "2"]
    command += ["--mil-results", str(results), *(str(package / "converters/mil/mil/ops/tests" / f) for f in FILES)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    records = table.read(results)
    verdict = table.judge(records, [])
    assert verdict.surprises == [], done.stdout[-2000:]
    compared = sum(count["passed"] for count in verdict.counts.values())
    assert compared >= 50, f"only {compared} of {len(records)} tests compared outputs"
