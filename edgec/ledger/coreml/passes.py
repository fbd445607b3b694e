"""Every pass that coremltools runs on an ML Program before it saves, and its counterpart in edgec.

The pipeline is `backend_mlprogram` of coremltools 9 (passes/pass_pipeline.py). Some passes establish what Core ML
requires, others make programs smaller; a test lists the pipeline and fails for a pass without a row.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PassRow:
    """A pass: what it does, and where edgec does the same (`kept_by`) or why it need not (`not_needed`).

    `demanded`: the row of the ledger that checks the result; empty if Core ML does not require it.
    """

    name: str
    does: str
    kept_by: str = ""
    not_needed: str = ""
    demanded: str = ""


PASSES = (
    PassRow(
        "common::const_elimination",
        "operations on constants become constants",
        kept_by="edgec.passes.constants.FoldConstants, before lowering",
    ),
    PassRow(
        "mil_backend::adjust_io_to_supported_types",
        "inputs and outputs of the program get types that the interface supports",
        kept_by="edgec.backends.coreml.types.interface_type, assemble: casts at inputs and outputs",
        demanded="interface-program-type",
    ),
    PassRow(
        "mil_backend::insert_image_preprocessing_ops",
        "scale and bias of image inputs become operations",
        kept_by="edgec.backends.coreml.interface.from_image",
        demanded="image-program",
    ),
    PassRow(
        "mil_backend::fuse_activation_silu",
        "x * sigmoid(x) becomes silu",
        not_needed="an equivalent form; Core ML supports sigmoid and mul",
    ),
    PassRow(
        "mil_backend::fuse_pow2_sqrt",
        "sqrt(x^2) becomes x",
        not_needed="not exact: it is the absolute value of x in general",
    ),
    PassRow(
        "common::const_deduplication",
        "equal constants are stored once",
        kept_by="coremltools' own pass, in edgec.backends.coreml.assemble",
    ),
    PassRow(
        "common::cast_optimization",
        "consecutive casts are merged or removed",
        kept_by="edgec.backends.coreml.precision.casts, which casts a value once, and edgec.rules.cleanup.casts",
    ),
    PassRow(
        "common::dead_code_elimination",
        "dead code is removed",
        kept_by="edgec.passes.deadcode.DeadCode, and coremltools' own pass in assemble",
    ),
    PassRow(
        "mil_backend::sanitize_name_strings",
        "names become identifiers",
        kept_by="edgec.backends.coreml.names",
        demanded="name-identifier",
    ),
    PassRow(
        "common::dedup_op_and_var_names",
        "names become unique",
        kept_by="edgec.backends.coreml.names",
        demanded="name-unique",
    ),
    PassRow(
        "nn_backend::handle_unused_inputs",
        "an unused input gets an identity",
        kept_by="edgec.backends.coreml.assemble, after dead code is removed",
        demanded="input-used",
    ),
)
