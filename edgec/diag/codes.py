"""All diagnostic codes, each with a one-line meaning and the exit code of the process.

`docs/explain/<code>.md` has the details; a test asserts that each code has a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of the command line."""

    DONE = 0
    CHECK_FAILED = 1
    BAD_REQUEST = 2
    CANNOT_BUILD = 3
    UNAVAILABLE = 4
    BUG = 101


@dataclass(frozen=True)
class Code:
    """A code's one-line title and its exit code."""

    title: str
    exit_code: ExitCode


_BAD = ExitCode.BAD_REQUEST
_CANNOT = ExitCode.CANNOT_BUILD
_AWAY = ExitCode.UNAVAILABLE

CODES: dict[str, Code] = {
    # E01: request and configuration
    "E0101": Code("the command line is wrong", _BAD),
    "E0102": Code("the source was not found", _BAD),
    "E0103": Code("the source does not contain a model", _BAD),
    "E0104": Code("the target is unknown", _BAD),
    "E0105": Code("the device is unknown", _BAD),
    "E0106": Code("a configuration file is wrong", _BAD),
    "E0107": Code("the example inputs are missing or wrong", _BAD),
    "E0108": Code("the output folder cannot be written", _BAD),
    "E0109": Code("the rule is unknown", _BAD),
    "E0110": Code("the weights do not fit the model", _BAD),
    "E0111": Code("the output folder contains files that edgec did not write", _BAD),
    # E02: frontend
    "E0201": Code("the user's Python code failed", _BAD),
    "E0202": Code("the model could not be exported", _CANNOT),
    "E0203": Code("the file is not a readable model", _BAD),
    "E0204": Code("the file would execute code when read", _BAD),
    "E0205": Code("the exported graph computes different results", _CANNOT),
    "E0206": Code("control flow depends on data and cannot be rewritten", _CANNOT),
    "E0207": Code("the file points outside its folder", _BAD),
    "E0208": Code("control flow on data was rewritten", _CANNOT),
    "E0209": Code("a side of a branch is not verified", _CANNOT),
    "E0210": Code("a traced model cannot be proven complete", _CANNOT),
    "E0211": Code("the source fails on samples drawn for it", _CANNOT),
    "E0212": Code("the app must pass the model's states from run to run", _CANNOT),
    "E0213": Code("the file was written by another version of scikit-learn", _CANNOT),
    "E0214": Code("a text output is omitted", _CANNOT),
    "E0215": Code("an assertion on data is removed", _CANNOT),
    "E0216": Code("a half-precision model is imported in float32", _CANNOT),
    "E0217": Code("integer kernels are imported as float operators between quantizers", _CANNOT),
    "E0218": Code("the range of an input is not declared", _CANNOT),
    "E0220": Code("a dimension is open only in multiples of a size", _CANNOT),
    "E0219": Code("the module keeps state between calls that an artifact cannot keep", _CANNOT),
    # E03: IR
    "E0301": Code("the graph is invalid", _BAD),
    "E0302": Code("the operator is unknown", _CANNOT),
    "E0303": Code("the operator has no decomposition into the core dialect", _CANNOT),
    "E0304": Code("the file declares shapes that differ from the computed ones", _CANNOT),
    # E04: legalize and lower
    "E0401": Code("the target cannot express this value", _CANNOT),
    "E0402": Code("the target renames an input or output", _CANNOT),
    "E0412": Code("the target has no lowering for this operator", _CANNOT),
    # E05: assemble
    "E0501": Code("the vendor's library refused the program", _CANNOT),
    "E0502": Code("a library is missing", _AWAY),
    "E0503": Code("the target is built on the device itself", _AWAY),
    # E06: accuracy and running
    "E0601": Code("the artifact computes different results", ExitCode.CHECK_FAILED),
    "E0602": Code("the artifact could not be run", ExitCode.CHECK_FAILED),
    "E0603": Code("the artifact cannot be executed by this runner", _CANNOT),
    "E0604": Code("the file is not a readable artifact", _BAD),
    "E0605": Code("the artifact is not the one that its manifest describes", ExitCode.CHECK_FAILED),
    "E0606": Code("the artifact exceeds its budget", ExitCode.CHECK_FAILED),
    "E0607": Code("float16 is not accurate enough", ExitCode.CHECK_FAILED),
    "E0608": Code("a quantized model is judged by its own rounding", ExitCode.CHECK_FAILED),
    "E0609": Code("a device's loader or compiler would refuse the artifact", ExitCode.CHECK_FAILED),
    "E0610": Code("the artifact is slower or riskier on a device than necessary", ExitCode.CHECK_FAILED),
    "E0611": Code("the artifact computes different results on inputs unlike the example", ExitCode.CHECK_FAILED),
    "E0612": Code("the artifact calls custom kernels, which cannot be run here", ExitCode.CHECK_FAILED),
    "E0613": Code("float16 may change a decision", ExitCode.CHECK_FAILED),
    "E0615": Code("the source changed since the build", ExitCode.CHECK_FAILED),
    "E0614": Code("the verification says nothing about an output", ExitCode.CHECK_FAILED),
    "E0620": Code("a target in integers is calibrated on made-up inputs", ExitCode.CHECK_FAILED),
    "E0621": Code("the calibration data say little about real inputs", ExitCode.CHECK_FAILED),
    "E0622": Code("integer kernels differ from their reference by more than a step", ExitCode.CHECK_FAILED),
    "E0616": Code("the artifact loses more task accuracy than is accepted", ExitCode.CHECK_FAILED),
    # E07: device
    "E0701": Code("the device did not answer", _AWAY),
    "E0702": Code("the device has no latency model", _AWAY),
    "E0703": Code("the connection to the device was lost", _AWAY),
    "E0704": Code("the device is in use", _AWAY),
    "E0705": Code("the device is not fit to be measured", _AWAY),
    "E0706": Code("the run on the device failed", ExitCode.CHECK_FAILED),
    "E0707": Code("the measurement is unstable", ExitCode.CHECK_FAILED),
}
