"""Rows about names: valid, unique, and defined before use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from edgec.ledger.coreml.identifiers import IDENTIFIER, RESERVED
from edgec.ledger.coreml.package import Function, Package
from edgec.ledger.row import Breach, Row

_PROTO = "apple/coremltools, mlmodel/format/MIL.proto"
_LONGEST = 80


def _defined(package: Package) -> Iterator[tuple[str, str, str]]:
    """Where each name is defined, what it names, and the name: every function, value and described feature."""
    for name, description in package.descriptions:
        for kind, features in (("input", description.input), ("output", description.output)):
            yield from ((f"interface of {name}", kind, f.name) for f in features)
        yield from ((f"interface of {name}", "state", f.name) for f in description.state)
    for function in package.functions:
        yield "program", "function", function.name
        yield from ((function.name, "input", value.name) for value in function.message.inputs)
        if function.block is not None:
            yield from ((function.name, "value", name) for name in _made(function.block))


def _made(block: Any) -> Iterator[str]:
    yield from (value.name for value in block.inputs)
    for operation in block.operations:
        yield from (value.name for value in operation.outputs)
        for inner in operation.blocks:
            yield from _made(inner)


def _breaking(wrong: Callable[[str], bool]) -> Callable[[Package], Iterator[Breach]]:
    def check(package: Package) -> Iterator[Breach]:
        seen = set()
        for where, kind, name in _defined(package):
            if wrong(name) and (where, name) not in seen:
                seen.add((where, name))
                yield Breach(where, f"{kind} `{name[:_LONGEST]}`")

    return check


def _keys(package: Package) -> Iterator[Breach]:
    """Keys of attributes, from the program down to its types, and of a function's specializations."""
    tables = [("program", package.model.mlProgram.attributes)]
    for function in package.functions:
        tables += [
            (function.name, function.message.attributes),
            (function.name, function.message.block_specializations),
        ]
        tables += [(function.name, value.type.tensorType.attributes) for value in function.message.inputs]
        tables += [(function.name, block.attributes) for block in _blocks(function.block)]
    for op in package.operations:
        tables.append((op.where, op.message.attributes))
        tables += [(op.where, value.type.tensorType.attributes) for value in op.message.outputs]
    for where, table in tables:
        yield from (Breach(where, f"key `{key[:_LONGEST]}`") for key in table if not IDENTIFIER.fullmatch(key))


def _blocks(block: Any) -> Iterator[Any]:
    """A block and its nested blocks."""
    if block is not None:
        yield block
        for operation in block.operations:
            for inner in operation.blocks:
                yield from _blocks(inner)


def _twice(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        names = {value.name for value in function.message.inputs}
        if len(names) < len(function.message.inputs):
            yield Breach(function.name, "two inputs have one name")
        if function.block is not None:
            yield from _repeated(function.name, function.block, names)


def _repeated(where: str, block: Any, visible: set[str]) -> Iterator[Breach]:
    """Redefinitions of visible names. The names that a block defines end with it."""
    own = set(visible)
    for made in [*block.inputs, *(("op", op) for op in block.operations)]:
        outputs = made[1].outputs if isinstance(made, tuple) else [made]
        for inner in made[1].blocks if isinstance(made, tuple) else ():
            yield from _repeated(where, inner, own)
        for value in outputs:
            if value.name in own:
                yield Breach(where, f"`{value.name[:_LONGEST]}` is defined twice")
            own.add(value.name)


def _undefined(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        if function.block is not None:
            yield from _used(function, function.block, {value.name for value in function.message.inputs})


def _used(function: Function, block: Any, outer: set[str]) -> Iterator[Breach]:
    known = outer | {value.name for value in block.inputs}
    for operation in block.operations:
        for argument in operation.inputs.values():
            for binding in argument.arguments:
                if binding.WhichOneof("binding") == "name" and binding.name not in known:
                    yield Breach(function.name, f"`{operation.type}` takes `{binding.name[:_LONGEST]}`")
        for inner in operation.blocks:
            yield from _used(function, inner, known)
        known |= {value.name for value in operation.outputs}
    for name in block.outputs:
        if name not in known:
            yield Breach(function.name, f"a block returns `{name[:_LONGEST]}`")


def _operation_names(package: Package) -> Iterator[Breach]:
    """The operations' own names, beside those of their results. Error and placement reports use them."""
    for function in package.functions:
        seen = set()
        for op in (op for op in package.operations if op.function == function.name):
            name = op.name
            if name and (not IDENTIFIER.fullmatch(name) or name in RESERVED):
                yield Breach(op.where, f"it is called `{name[:_LONGEST]}`")
            elif name in seen:
                yield Breach(op.where, f"another operation is also named `{name[:_LONGEST]}`")
            seen.add(name)


def _interface_twice(package: Package) -> Iterator[Breach]:
    for where, description in package.descriptions:
        for features in ((*description.input, *description.state), description.output):
            counts = Counter(feature.name for feature in features)
            twice = (name for name, count in counts.items() if count > 1)
            yield from (Breach(f"interface of {where}", f"`{name[:_LONGEST]}` stands twice") for name in twice)


ROWS: tuple[Row[Package], ...] = (
    Row(
        "name-identifier",
        "every name matches [A-Za-z_][A-Za-z0-9_@]*",
        "Core ML's loader",
        f"{_PROTO}, Identifiers; coremltools passes `mil_backend::sanitize_name_strings` before it saves",
        _breaking(lambda name: not IDENTIFIER.fullmatch(name)),
    ),
    Row(
        "name-reserved",
        "no name is a keyword of MIL's text syntax",
        "Core ML's loader",
        "coremltools, passes/defs/preprocess.py, `NameSanitizer.reserved_names`; coremltools#1634: a value `tensor`",
        _breaking(lambda name: name in RESERVED),
    ),
    Row(
        "attribute-identifier",
        "keys of attributes and of specializations match [A-Za-z_][A-Za-z0-9_@]*",
        "Core ML's loader",
        f"{_PROTO}, `attributes` and `block_specializations`: Keys must be valid identifiers",
        _keys,
    ),
    Row(
        "name-unique",
        "a name is unique in its scope",
        "Core ML's loader",
        f"{_PROTO}, Operation.outputs: unique within the current scope; coremltools `common::dedup_op_and_var_names`",
        _twice,
    ),
    Row(
        "name-defined",
        "what an operation uses or a block returns was defined before",
        "Core ML's compiler",
        f"{_PROTO}, Block.operations: topologically sorted; the compiler's `Failed to find type of`",
        _undefined,
    ),
    Row(
        "operation-name",
        "names of operations are identifiers, unique in their function",
        "Core ML's loader",
        "coremltools passes `mil_backend::sanitize_name_strings` and `common::dedup_op_and_var_names` see to both",
        _operation_names,
    ),
    Row(
        "interface-unique",
        "the names of inputs and states are unique, and those of outputs",
        "Core ML's loader",
        "mlmodel/format/Model.proto, ModelDescription: apps look features up by name",
        _interface_twice,
    ),
)
