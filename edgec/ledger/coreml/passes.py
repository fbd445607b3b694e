"""Every pass that coremltools runs on an ML Program before it saves, and what stands for it here.

The pipeline is `backend_mlprogram` of coremltools 9 (passes/pass_pipeline.py). Some passes are there because Core ML
demands what they make, others make programs smaller; a test lists the pipeline and fails on a pass without a row.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PassRow:
    """A pass: what it does, and where edgec does that (`kept_by`) or why it need not (`not_needed`).

    `demanded`: the row of the ledger that sees to it that its work is done; empty where Core ML does not demand it.
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
        "inputs and outputs of the program get types that the interface has",
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
        "sigmoid and a product become silu",
        not_needed="another spelling of the same function; Core ML takes sigmoid and mul",
    ),
    PassRow(
        "mil_backend::fuse_pow2_sqrt",
        "the square root of a square becomes the value",
        not_needed="it is the value's magnitude in general; edgec's own rules take what is proven equal",
    ),
    PassRow(
        "common::const_deduplication",
        "equal constants are stored once",
        kept_by="coremltools' own pass, in edgec.backends.coreml.assemble",
    ),
    PassRow(
        "common::cast_optimization",
        "casts that follow each other become one, or none",
        kept_by="edgec.backends.coreml.precision, which casts a value once, and edgec.rules.cleanup.casts",
    ),
    PassRow(
        "common::dead_code_elimination",
        "what nothing uses is left out",
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
        "an input that nothing uses gets an identity",
        kept_by="edgec.backends.coreml.assemble, behind the removal of dead code",
        demanded="input-used",
    ),
)
