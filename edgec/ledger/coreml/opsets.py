"""Rows about operations: whether the system's opset has them, their parameters, and the types that these accept."""

from __future__ import annotations

from collections.abc import Iterator

from edgec.diag import Severity
from edgec.ledger.coreml.operations import operations
from edgec.ledger.coreml.package import Operation, Package, opset_version
from edgec.ledger.row import Breach, Row

FIRST, LAST = 6, 10
"""Specification versions of ML Programs: iOS 15 to iOS 26 (coremltools, `_SPECIFICATION_VERSION_IOS_*`)."""

SYSTEMS = {6: "iOS 15", 7: "iOS 16", 8: "iOS 17", 9: "iOS 18", 10: "iOS 26"}

_DEFINITIONS = "coremltools, converters/mil/mil/ops/defs"
_UNLISTED = frozenset({"const", "custom_layer"})
"""Operations of every opset, with special parameters."""
_HIGHEST_RANK = 5


def _version(package: Package) -> Iterator[Breach]:
    if not FIRST <= package.version <= LAST:
        yield Breach("", f"specification version {package.version}")


def _program(package: Package) -> Iterator[Breach]:
    if package.model.mlProgram.version != 1:
        yield Breach("program", f"version {package.model.mlProgram.version}")


def _opset(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        found = opset_version(function.message.opset)
        if found is None or not FIRST <= found <= LAST:
            yield Breach(function.name, f"opset `{function.message.opset}`")


def _fits(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        found = opset_version(function.message.opset)
        if found is not None and FIRST <= found <= LAST and found > package.version:
            needs = f"`{function.message.opset}` is of {SYSTEMS[found]}"
            yield Breach(function.name, f"{needs}, the package has specification version {package.version}")


def _block(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        if function.block is None:
            yield Breach(function.name, f"it has no block for `{function.message.opset}`")


def _known(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        if op.message.type in _UNLISTED or op.form is not None or not op.opset:
            continue
        later = operations().forms.get(op.message.type)
        yield Breach(op.where, f"it needs {SYSTEMS[later[0].since]}" if later else "no opset has it")


def _given(op: Operation) -> set[str]:
    return {*op.message.inputs, *op.message.attributes}


def _unknown_parameter(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        if op.form is None or op.message.type in _UNLISTED:
            continue
        for name in sorted(set(op.message.inputs) - op.form.parameters.keys()):
            later = [f for f in operations().forms[op.message.type] if name in f.parameters]
            since = f", it needs {SYSTEMS[later[0].since]}" if later and later[0].since > op.opset else ""
            yield Breach(op.where, f"parameter `{name}`{since}")


def _required(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        if op.form is None or op.message.type in _UNLISTED:
            continue
        needed = {n for n, p in op.form.parameters.items() if p.need == "required"} | _ALWAYS.get(
            op.message.type, set()
        )
        yield from (Breach(op.where, f"`{name}` is missing") for name in sorted(needed - _given(op)))


_ALWAYS = {"concat": {"interleave"}}
"""Parameters with a default that the compiler nevertheless requires (observed)."""


def _filled(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        if op.form is None:
            continue
        filled = {n for n, p in op.form.parameters.items() if p.need == "filled"} - _ALWAYS.get(op.message.type, set())
        missing = sorted(filled - _given(op))
        if missing:
            yield Breach(op.where, f"{', '.join(f'`{name}`' for name in missing)} not written")


def _constant(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        for name, binding in op.arguments() if op.form is not None else ():
            parameter = op.form.parameters.get(name) if op.form else None
            if parameter is None or not parameter.is_const or binding.WhichOneof("binding") == "value":
                continue
            if binding.name in op.kinds and not (binding.name in op.constants or binding.name in package.made_ahead):
                yield Breach(op.where, f"`{name}` is computed")


def _operand_types(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        for name, binding in op.arguments() if op.form is not None else ():
            parameter, kind = op.form.parameters.get(name) if op.form else None, op.kind(binding)
            if parameter is None or kind is None or not parameter.types or kind.is_state:
                continue
            if kind.dtype not in parameter.types and kind.dtype in _NUMBERS:
                yield Breach(op.where, f"`{name}` is {kind.dtype}, not one of {', '.join(sorted(parameter.types))}")


_NUMBERS = frozenset("bool fp16 fp32 fp64 bf16 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split())


def _one_type(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        if op.form is None:
            continue
        found: dict[str, dict[str, str]] = {}
        for name, binding in op.arguments():
            parameter, kind = op.form.parameters.get(name), op.kind(binding)
            if parameter is not None and parameter.domain and kind is not None and kind.dtype in _NUMBERS:
                found.setdefault(parameter.domain, {}).setdefault(kind.dtype, name)
        for kinds in found.values():
            if len(kinds) > 1:
                yield Breach(op.where, " and ".join(f"`{name}` is {dtype}" for dtype, name in sorted(kinds.items())))


def _rank(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        if op.message.type == "const" or op.message.type.startswith("constexpr_"):
            continue
        for value in op.message.outputs:
            shape = op.kinds[value.name].shape
            if shape is not None and len(shape) > _HIGHEST_RANK:
                yield Breach(op.where, f"its result has {len(shape)} dimensions")


def _cast(package: Package) -> Iterator[Breach]:
    """`cast` names its result's type."""
    for op in package.operations:
        if op.message.type != "cast" or op.form is None or len(op.message.outputs) != 1:
            continue
        value = op.literal("dtype")
        text = "".join(value.immediateValue.tensor.strings.values) if value is not None else ""
        takes, made = op.form.parameters["x"].types, op.kinds[op.message.outputs[0].name].dtype
        if text not in takes:
            yield Breach(op.where, f"to `{text}`, not one of this opset's {', '.join(sorted(takes))}")
        elif text != made:
            yield Breach(op.where, f"to `{text}`, but its result is declared {made}")


def _results(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        count = len(op.message.outputs)
        if not count and op.message.type != "write_state":
            yield Breach(op.where, "it gives nothing")
        if op.message.type == "const" and (count != 1 or "val" not in op.message.attributes):
            yield Breach(op.where, "a constant has not exactly one result and `val`")


def _blocks(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        wanted = {"cond": 2, "while_loop": 2}.get(op.message.type, 0)
        if len(op.message.blocks) != wanted:
            yield Breach(op.where, f"it has {len(op.message.blocks)} blocks, not {wanted}")


def _spelled(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        for parameter, words in _WORDS.items():
            value = op.literal(parameter) if parameter in op.message.inputs else None
            allowed = words.get(op.message.type)
            if value is None or allowed is None:
                continue
            text = "".join(value.immediateValue.tensor.strings.values)
            if text not in allowed:
                yield Breach(op.where, f"`{parameter}` is `{text}`, not one of {', '.join(sorted(allowed))}")


_PADS = {"valid", "same", "custom", "same_lower"}
_WORDS: dict[str, dict[str, set[str]]] = {
    "pad_type": dict.fromkeys(("conv", "conv_transpose", "max_pool", "avg_pool", "l2_pool"), _PADS),
    "mode": {
        "gelu": {"EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"},
        "pad": {"constant", "reflect", "replicate"},
        **{
            op: {"add", "div", "max", "min", "mul", "sub", "update"}
            for op in ("scatter", "scatter_along_axis", "scatter_nd")
        },
    },
    "direction": {
        "lstm": {"forward", "reverse", "bidirectional"},
        **{op: {"forward", "reverse"} for op in ("gru", "rnn")},
    },
}
"""The strings that a parameter may be, by operation, as its definition lists them."""

ROWS: tuple[Row[Package], ...] = (
    Row(
        "specification-version",
        f"the specification version of an ML Program is {FIRST} (iOS 15) to {LAST} (iOS 26)",
        "Core ML's loader",
        "mlmodel/format/Model.proto, Specification Versions; coremltools `_SPECIFICATION_VERSION_IOS_*`",
        _version,
    ),
    Row(
        "program-version",
        "the program's version is 1",
        "Core ML's loader",
        "mlmodel/format/MIL.proto, Program.version; coremltools, backend/mil/load.py, `export`",
        _program,
    ),
    Row(
        "opset-known",
        "a function's opset is one of CoreML5 to CoreML9",
        "Core ML's compiler",
        "the compiler's `Unknown opset`; coremltools `_OPSET`",
        _opset,
    ),
    Row(
        "opset-fits-version",
        "a function's opset is no newer than the specification version",
        "Core ML's compiler",
        "coremltools `_OPSET`; an older system says `Unknown opset 'CoreML8'`",
        _fits,
    ),
    Row(
        "opset-block",
        "a function has a block for its opset",
        "Core ML's loader",
        "MIL.proto, Function.opset: This key must exist in `block_specializations`",
        _block,
    ),
    Row(
        "operation-known",
        "the function's opset has the operation",
        "Core ML's compiler",
        f"{_DEFINITIONS}, by `opset_version`",
        _known,
    ),
    Row(
        "parameter-known",
        "an operation has only parameters of its opset",
        "Core ML's compiler",
        f"{_DEFINITIONS}, `input_spec`",
        _unknown_parameter,
    ),
    Row(
        "parameter-required",
        "required parameters are present, and `interleave` of `concat`",
        "Core ML's compiler",
        f"{_DEFINITIONS}, `input_spec`; the compiler's `Required param 'interleave' is missing`",
        _required,
    ),
    Row(
        "parameter-explicit",
        "parameters with a default are written out",
        "Core ML's compiler",
        "coremltools' builder writes every default; the compiler refuses some operations without them",
        _filled,
        severity=Severity.WARNING,
    ),
    Row(
        "parameter-constant",
        "parameters that an operation needs at compile time are constants",
        "Core ML's compiler",
        f"{_DEFINITIONS}, `TensorInputType(const=True)`",
        _constant,
    ),
    Row(
        "operand-type",
        "an operand has a type that the operation accepts in its opset",
        "Core ML's compiler",
        f"{_DEFINITIONS}, `type_domains`",
        _operand_types,
    ),
    Row(
        "operand-one-type",
        "operands of one type domain have the same type",
        "Core ML's compiler",
        "coremltools, mil/input_type.py: parameters binding with the same `type_domain` are the same data type",
        _one_type,
    ),
    Row(
        "result-rank",
        f"a value has at most {_HIGHEST_RANK} dimensions",
        "Core ML's runtime",
        "coremltools `common::expand_high_rank_reshape_and_transpose`: Core ML supports tensors of rank 5 at most",
        _rank,
    ),
    Row(
        "cast-type",
        "`cast` names a type that its opset supports, and its result has that type",
        "Core ML's compiler",
        f"{_DEFINITIONS}, iOS15 and iOS17 elementwise_unary.py, `cast`",
        _cast,
    ),
    Row(
        "operation-results",
        "an operation has a result, and a constant has one",
        "Core ML's loader",
        "coremltools, backend/mil/load.py, `translate_const`: const must have 1 output",
        _results,
    ),
    Row(
        "operation-blocks",
        "branches and loops have two blocks, other operations none",
        "Core ML's compiler",
        "coremltools, ops/defs/iOS15/control_flow.py, `cond` and `while_loop`",
        _blocks,
    ),
    Row(
        "parameter-word",
        "a string parameter is one of those that its operation defines",
        "Core ML's compiler",
        f"{_DEFINITIONS}: conv, pool, pad, gelu, scatter, recurrent",
        _spelled,
    ),
)
