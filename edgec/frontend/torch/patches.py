"""Everything in torch that is patched while a model is exported, and every private name of torch that edgec uses.

Each entry gives the reason. All are as of torch 2.13; a test fails if the installed torch lacks one of them, or if code
uses a private name or patches torch without an entry here.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

PATCHED: Mapping[str, str] = {
    "builtins.print": "what is printed in a trace decides nothing, and is shown by its value's form",
    "onnx_ir.schemas.OpSignature.from_op_schema": "torch's exporter asks for the same signature at every node",
    "torch._subclasses.fake_tensor.FakeTensor": "its conversions to Python's values would leave the trace unseen",
    "torch.SymInt": "as FakeTensor: hashing, printing, rounding or counting to a symbol would decide for all sizes",
    "torch.SymFloat": "as SymInt",
    "torch.SymBool": "as SymInt",
    "torch.amp.autocast_mode.autocast.__enter__": "sources in half precision are computed in single",
    "torch.amp.autocast_mode.autocast.__exit__": "sources in half precision are computed in single",
    "torch.distributions.Distribution._validate_args": "whether parameters are valid would ask the data",
    "torch.export._trace.make_fake_inputs": "sizes of open dimensions are multiples from the beginning on",
    "torch.export._trace.produce_guards_and_solve_constraints": "its proof of sizes takes minutes for some models",
    "torch.export._trace.register_buffer_assignment_hook": "it refuses buffers that a forward binds anew",
    "torch.fx.proxy.TracerBase._filter_traceback_frames": "it forgets the lines of functions that a forward calls",
    "torch.fx.experimental.symbolic_shapes.ShapeEnv._log_guard": "it is told of each condition on sizes",
    "torch.nn.Module.to": "it swaps parameters, which fails while a trace holds them",
    "torch.utils._sympy.functions.Mod.eval": "the size of what is padded to windows grows long",
    "torch.utils._sympy.functions.PythonMod.eval": "as Mod",
    "torch.utils._sympy.functions.simple_floordiv_gcd": "reducing a quotient of long sums takes minutes",
    "torch.nn.modules.transformer._detect_is_causal_mask": "whether a mask is causal would ask the data",
}
"""What is patched, by dotted name: a function, or a class with patched methods."""

PRIVATE: Mapping[str, str] = {
    "torch._C.DispatchKey.CompositeImplicitAutograd": "whether an operator is made of others",
    "torch._C.DisableTorchFunction": "to look at a tensor inside of a mode without asking the modes around it",
    "torch._C._disabled_torch_function_impl": "what kinds of tensors have that answer no function themselves",
    "torch._C._nn._parse_to": "the arguments of `nn.Module.to`, read as it reads them",
    "torch._C.parse_schema": "the schema of a TorchScript operator",
    "torch._VF._pack_padded_sequence": "what packing a sequence calls",
    "torch._VF._pad_packed_sequence": "what unpacking a sequence calls",
    "torch._VF.gru": "what `nn.GRU` calls",
    "torch._VF.lstm": "what `nn.LSTM` calls",
    "torch._VF.rnn_relu": "what `nn.RNN` calls",
    "torch._VF.rnn_tanh": "what `nn.RNN` calls",
    "torch._check": "what is known of a size that the data decide",
    "torch._dispatch.python.enable_python_dispatcher": "kernels in Python keep sizes symbols",
    "torch._dynamo.source.TensorProperty.SIZE": "which input a symbol is the size of",
    "torch._dynamo.source.TensorPropertySource": "which input a symbol is the size of",
    "torch._guards.detect_fake_mode": "the mode of a traced program's values",
    "torch._higher_order_ops.while_loop.while_loop_op": "loops of the graph; the public function asks for more",
    "torch._ops.OpOverload": "the type of an operator's overload",
    "torch._subclasses.fake_tensor.DynamicOutputShapeException": "what a trace raises where shapes depend on data",
    "torch._subclasses.fake_tensor.FakeTensor": "the class of the user's tensors in a trace",
    "torch._subclasses.fake_tensor.FakeTensor.__deepcopy__": "what a copy of a traced tensor is elsewhere",
    "torch._subclasses.fake_tensor.FakeTensorMode": "the mode in which a program's values have shapes alone",
    "torch._subclasses.fake_tensor.UnsupportedOperatorException": "what a trace raises for unknown operators",
    "torch.export._trace": "the module whose functions are replaced",
    "torch.fx.experimental.symbolic_shapes.ShapeEnv._log_guard": "what it was, to call it",
    "torch.onnx._internal.exporter._core._exported_program_to_onnx_program": "the exporter's translation, by its parts",
    "torch.onnx._internal.exporter._core._prepare_exported_program_for_export": "the exporter's second trace",
    "torch.onnx._internal.exporter._fx_passes.remove_assertion_nodes": "a step of the exporter's",
    "torch.onnx._internal.fx.passes.type_promotion": "a step of the exporter's, by its parts",
    "torch.onnx._internal.exporter._registration.ONNXRegistry": "the exporter's translations",
    "torch.onnx._internal.exporter._registration.OnnxDecompMeta": "the exporter's translations",
    "torch.onnx._internal.exporter._registration._get_overload": "the exporter's translations",
    "torch.onnx._internal.exporter._torchlib._torchlib_registry.get_torchlib_ops": "the exporter's translations",
    "torch.ops.aten._native_batch_norm_legit_no_training.default": "an operator of exported programs",
    "torch.ops.aten._to_copy.default": "an operator of exported programs",
    "torch.utils._python_dispatch.TorchDispatchMode": "the only way to see every operator that runs",
    "torch.utils._python_dispatch._disable_current_modes": "to compute outside of the trace",
    "torch.utils._pytree": "structures of tensors, as `torch.export` flattens them",
    "torch.utils._sympy.functions": "quotients and remainders of sizes, and how torch reduces them",
    "torch.utils._sympy.interp.sympy_interp": "to evaluate a condition on sizes",
    "torch.utils._sympy.printers.PythonPrinter": "an expression of sizes as Python code",
    "torch.utils._sympy.reference.PythonReferenceAnalysis": "to evaluate a condition on sizes",
}
"""Private names of torch, by their dotted names; a module includes everything in it."""

_INHERITED = object()


class Patches:
    """The patches made so far, undone in reverse order."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def replace(self, name: str, new: Any) -> Any:
        """Replace a name of `PATCHED`, or a method of a class in it, by `new`. Returns the original."""
        owner_name, _, leaf = name.rpartition(".")
        assert name in PATCHED or owner_name in PATCHED, f"`{name}` has no row"
        owner = resolved(owner_name)
        before = getattr(owner, leaf, None)
        self._before.append((owner, leaf, vars(owner).get(leaf, _INHERITED)))
        setattr(owner, leaf, new)
        return before

    def undo(self) -> None:
        """Restore everything."""
        while self._before:
            owner, leaf, before = self._before.pop()
            if before is _INHERITED:
                delattr(owner, leaf)
            else:
                setattr(owner, leaf, before)


@contextmanager
def patched() -> Iterator[Patches]:
    """Patches that are undone at the end."""
    patches = Patches()
    try:
        yield patches
    finally:
        patches.undo()


def resolved(name: str) -> Any:
    """The module, class or function with a dotted name. Raises `AttributeError` if torch has none.

    The longest module path is used, since some modules are shadowed by a function of the same name.
    """
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        return functools.reduce(getattr, parts[end:], found)
    raise AttributeError(f"there is no `{name}`")
