"""Models whose results have a data-dependent number of rows."""

import onnx
import onnx.parser
import torch

from edgec.ir.model import OPSET


class Rows(torch.nn.Module):
    """A function of the inputs that can use a layer."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(5)
        self.function, self.layer = function, torch.nn.Linear(4, 3)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def _detections(net, boxes, scores):
    best, label = scores.max(1)
    keep = best > 0.4
    boxes, best, label = boxes[keep], best[keep], label[keep]
    order = best.argsort(descending=True)
    return boxes[order], best[order], label[order], order.shape[0] + torch.zeros(1)


def _pairs(net, boxes, scores):
    boxes = boxes[scores[:, 0] > 0.2]
    return (boxes[:, None, :2] - boxes[None, :, 2:]).clamp(min=0).prod(-1)


MODELS = {
    "places": (lambda net, x: torch.nonzero(x > 0), [(5, 4)]),
    "places-by-axis": (lambda net, x: torch.where(x > 0), [(5, 4)]),
    "selected": (lambda net, x: torch.masked_select(x, x > 0.3), [(5, 4)]),
    "rows-through-a-layer": (lambda net, x, c: net.layer(x[c[:, 0] > 0]).relu(), [(9, 4), (9, 2)]),
    "first-three": (lambda net, x, c: x[c[:, 0] > 0][:3], [(9, 4), (9, 2)]),
    "last-from-computed": (lambda net, x, c: x[c[:, 0] > 0][-2:], [(9, 4), (9, 2)]),
    "joined": (lambda net, x, c: torch.cat([x[c[:, 0] > 0], x[c[:, 1] > 0]]), [(9, 4), (9, 2)]),
    "mean-of-selected": (lambda net, x, c: x[c[:, 0] > -2].mean(0), [(9, 4), (9, 2)]),
    "reshaped": (lambda net, x, c: x[c[:, 0] > 0].reshape(-1, 2, 2), [(9, 4), (9, 2)]),
    "scattered": (lambda net, x, c: x.masked_scatter(c > 0, x * 2), [(5, 4), (5, 4)]),
    "detections": (_detections, [(40, 4), (40, 3)]),
    "pairs": (_pairs, [(20, 4), (20, 3)]),
}
"""By name: a function of a module and its inputs, and the inputs' shapes."""


def net(name):
    """A module and example inputs."""
    function, shapes = MODELS[name]
    torch.manual_seed(6)
    return Rows(function).eval(), tuple(torch.randn(*shape) for shape in shapes)


SUPPRESSION = """
g (float[2,30,4] boxes, float[2,3,30] scores) => (int64[k,3] found, float[k,4] chosen, float[k] score)
{
  size = Abs(boxes)
  sized = Mul(size, scale)
  found = NonMaxSuppression<center_point_box = CENTER>(sized, scores, most, overlap, least)
  image_and_box = Gather<axis = 1>(found, [0, 2])
  chosen = GatherND(sized, image_and_box)
  score = GatherND(scores, found)
}
"""


def suppression(center, least=0.55, most=9):
    """Boxes of two images, suppressed by three classes, and a lookup of the remaining ones."""
    text = SUPPRESSION.replace("CENTER", str(int(center))).replace("[0, 2]", "columns")
    head = f'<ir_version: 10, opset_import: ["" : {OPSET}]>'
    model = onnx.parser.parse_model(f"{head} {text}")
    constants = {"scale": 10.0, "overlap": 0.2, "least": least}
    for name, value in constants.items():
        model.graph.initializer.append(onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, [], [value]))
    model.graph.initializer.append(onnx.helper.make_tensor("most", onnx.TensorProto.INT64, [1], [most]))
    model.graph.initializer.append(onnx.helper.make_tensor("columns", onnx.TensorProto.INT64, [2], [0, 2]))
    return model
