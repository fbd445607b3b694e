"""Generates `edgec/ledger/coreml/operations.json` from coremltools' definitions of MIL's operations.

python -m tests.conformance.mil_operations --update
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "edgec/ledger/coreml/operations.json"
_FIRST_OPSET = 6
"""Specification version of iOS 15, the first of ML Programs."""
_TYPES = ("bool", "fp16", "fp32", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_BUILT = {"write_state": [{"since": 9, "inputs": {"input": {"need": "required"}, "data": {"need": "required"}}}]}
"""Operations that coremltools itself creates when it saves (backend/mil/load.py)."""


def operations() -> dict[str, list[dict[str, Any]]]:
    """Each operation's forms: the specification version that introduces it, and its parameters."""
    from edgec.backends.coreml.sdk import coremltools

    coremltools()
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    found: dict[str, list[dict[str, Any]]] = dict(_BUILT)
    for name, versions in SSAOpRegistry.core_ops.items():
        forms: list[dict[str, Any]] = []
        for version in sorted(versions, key=int):
            form = _form(versions[version])
            if forms and {**forms[-1], "since": 0} == {**form, "since": 0}:
                continue
            since = max(int(version), _FIRST_OPSET)
            forms = [f for f in forms if f["since"] != since]
            forms.append({"since": since, **{k: v for k, v in form.items() if k != "since"}})
        found[name] = forms
    return dict(sorted(found.items()))


def _form(operation: Any) -> dict[str, Any]:
    filled = _filled(operation)
    inputs = {}
    for name, kind in operation.input_spec.input_types.items():
        if name.startswith("_"):
            continue
        entry: dict[str, Any] = {
            "need": "required" if not kind.optional else "filled" if name in filled else "optional"
        }
        if getattr(kind, "const", False):
            entry["const"] = True
        if type(kind).__name__ == "TupleInputType":
            entry["list"] = True
        domain = getattr(kind, "type_domain_id", None)
        if domain:
            entry["domain"] = domain
        elif getattr(kind, "type_domain", None):
            entry["types"] = _named(kind.type_domain)
        inputs[name] = entry
    domains = {name: _named(kinds) for name, kinds in getattr(operation, "type_domains", {}).items()}
    return {"since": 0, "inputs": inputs, **({"domains": domains} if domains else {})}


def _named(kinds: Any) -> list[str]:
    from coremltools.converters.mil.mil import types

    names = {types.builtin_to_string(kind) for kind in (kinds if isinstance(kinds, tuple) else (kinds,))}
    return [name for name in _TYPES if name in names] + sorted(names - set(_TYPES))


def _filled(operation: Any) -> set[str]:
    """Optional parameters that coremltools fills in, so that every package that it writes has them."""
    found: set[str] = set()
    for cls in operation.__mro__:
        method = cls.__dict__.get("default_inputs")
        if method is None or cls.__name__ == "Operation":
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
        calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "DefaultInputs")
        found |= {k.arg for c in calls for k in c.keywords if k.arg and not _is_none(k.value)}
        if not any(isinstance(n, ast.Call) and getattr(n.func, "id", "") == "super" for n in ast.walk(tree)):
            break
    return found


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def text() -> str:
    """The content of the file, one form a line."""
    lines = []
    for name, forms in operations().items():
        rows = ",\n  ".join(json.dumps(form) for form in forms)
        lines.append(f" {json.dumps(name)}: [\n  {rows}\n ]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    if "--update" in sys.argv:
        FILE.write_text(text(), encoding="utf-8")
    print("as coremltools has it" if FILE.read_text(encoding="utf-8") == text() else "another version of coremltools")
