"""Constants in files: copied once, with the file's pages released."""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from edgec.ir.model import changed_copy


def external(folder: Path) -> tuple[ir.ExternalTensor, np.ndarray]:
    content = np.arange(6, dtype=np.float32).reshape(2, 3)
    (folder / "w.bin").write_bytes(content.tobytes())
    kept = ir.ExternalTensor("w.bin", 0, 24, ir.DataType.FLOAT, shape=ir.Shape([2, 3]), name="w", base_dir=folder)
    return kept, content


def test_a_copy_gives_the_file_back(tmp_path: Path) -> None:
    tensor, content = external(tmp_path)
    turned = changed_copy(tensor, lambda w: w.T)
    assert turned.flags.c_contiguous
    assert np.array_equal(turned, content.T)
    assert tensor.raw is None
    assert np.array_equal(tensor.numpy(), content)


def test_a_view_keeps_it(tmp_path: Path) -> None:
    tensor, content = external(tmp_path)
    assert np.array_equal(changed_copy(tensor, lambda w: w), content)
    assert tensor.raw is not None


def test_what_someone_reads_stays(tmp_path: Path) -> None:
    tensor, content = external(tmp_path)
    read = tensor.numpy()
    changed_copy(tensor, lambda w: w * 2)
    assert np.array_equal(read, content)
    assert np.array_equal(tensor.numpy(), content)


def test_a_number_stays_one() -> None:
    assert changed_copy(ir.tensor(np.float32(3.0)), lambda x: x.astype(np.float16)).shape == ()
