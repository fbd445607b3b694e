"""Packed sequences: outputs and last states for each sequence's own length, whatever follows its end."""

import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from edgec.frontend.torch.call import eager
from edgec.frontend.torch.decompositions.splice import decompose
from edgec.frontend.torch.export import to_onnx
from edgec.frontend.torch.overrides.functions import Overrides


class Tagger(nn.Module):
    """The outputs at all positions, padded to a fixed size, and both states of two bidirectional layers."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True, proj_size=3)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, (h, c) = self.rnn(packed)
        padded, same = pad_packed_sequence(out, batch_first=True, total_length=9, padding_value=-1.0)
        return padded, same, h, c


class Classifier(nn.Module):
    """Last states of three kinds, from given initial ones, and a change of the packed rows in between."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.rnn = nn.GRU(6, 6, bidirectional=True), nn.RNN(12, 4, nonlinearity="relu")
        self.first = nn.Parameter(torch.randn(2, 3, 6))

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x.transpose(0, 1), lengths, enforce_sorted=False)
        out, h = self.gru(packed, self.first)
        rows = PackedSequence(torch.tanh(out.data) * 2, out.batch_sizes, out.sorted_indices, out.unsorted_indices)
        return h, self.rnn(rows)[1]


class Longest(nn.Module):
    """As many steps as the longest sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(6, 5)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x.transpose(0, 1), lengths, enforce_sorted=False)
        return pad_packed_sequence(self.rnn(packed)[0])[0]


@pytest.mark.parametrize("module", [Tagger, Classifier, Longest])
def test_every_length(module: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model = module().eval()
    x, lengths = torch.randn(3, 7, 6), torch.tensor([7, 5, 4])
    with eager(model), Overrides():
        program = torch.export.export(model, (x, lengths), strict=False)
    decompose(program)
    session = onnxruntime.InferenceSession(ir.to_proto(to_onnx(program)).SerializeToString())
    names = [i.name for i in session.get_inputs()]
    for given in ([7, 5, 4], [2, 6, 1], [3, 3, 7]):
        lengths = torch.tensor(given)
        found = session.run(None, dict(zip(names, (x.numpy(), lengths.numpy()), strict=True)))
        with torch.no_grad():
            expected = model(x, lengths)
        for a, b in zip(expected if isinstance(expected, tuple) else (expected,), found, strict=True):
            torch.testing.assert_close(torch.from_numpy(b), a, rtol=1e-5, atol=1e-6)
