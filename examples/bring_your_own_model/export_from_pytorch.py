"""Two small PyTorch models, trained on generated demand and written as graphs that `model-store import` takes.

Needs `pip install torch onnx onnxscript` beside Restock:

    python examples/bring_your_own_model/export_from_pytorch.py FOLDER

writes `step_torchscript.onnx` and `step_dynamo.onnx` (an LSTM that is stepped
once per closed bucket), `window_torchscript.onnx` and `window_dynamo.onnx`
(attention over the last 56 buckets), and for each model some inputs with the
outputs that PyTorch gives for them.
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from model_store.features import FeatureState, features, fresh_memory, observe
from model_store.spec import DEFAULT_LEVELS, default_features
from replenishment.buckets import BucketWidth
from replenishment.forecaster import ClosedBucket

SPEC = default_features(BucketWidth(86_400))
STEP_LEVELS = torch.tensor(DEFAULT_LEVELS)
WINDOW_LEVELS = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])
STEP_HORIZONS, WINDOW_HORIZONS, CONTEXT = tuple(range(1, 15)), (7, 14), 56
UNITS = 24


class MonotoneHead(nn.Module):
    """Quantiles (B, H, Q) that rise with horizon and level: positive increments, added up."""

    def __init__(self, width: int, horizons: int, levels: int) -> None:
        super().__init__()
        self.shape = (horizons, levels)
        self.dense = nn.Linear(width, horizons * levels)

    def forward(self, read: Tensor) -> Tensor:
        """Quantiles of what was read, (B, width)."""
        increments = nn.functional.softplus(self.dense(read) - 3).view(-1, *self.shape)
        return increments.cumsum(1).cumsum(2)


class StepNet(nn.Module):
    """One LSTM layer between inputs and head; its state is h beside c, (B, 2 x UNITS)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs)
        self.lstm = nn.LSTM(inputs, UNITS)
        self.head = MonotoneHead(UNITS, len(STEP_HORIZONS), len(STEP_LEVELS))

    def over(self, sequence: Tensor) -> Tensor:
        """Quantiles (T, B, H, Q) after each bucket of a sequence (T, B, F), for training."""
        read, _ = self.lstm(self.norm(sequence.clamp(-8, 8)))
        return self.head(read.flatten(0, 1)).view(*sequence.shape[:2], *self.head.shape)

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step, which is what is exported."""
        before = state[None, :, :UNITS].contiguous(), state[None, :, UNITS:].contiguous()
        read, (hidden, cell) = self.lstm(self.norm(features.clamp(-8, 8))[None], before)
        return self.head(read[0]), torch.cat([hidden[0], cell[0]], dim=1)


class WindowNet(nn.Module):
    """Attention over the last buckets, as in pre-trained models; 0 in the mask: not observed."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(CONTEXT, UNITS) * 0.1)
        self.read = nn.Linear(2, UNITS)
        self.block = nn.TransformerEncoderLayer(UNITS, 4, 2 * UNITS, dropout=0.0, activation="gelu", batch_first=True)
        self.head = MonotoneHead(UNITS, len(WINDOW_HORIZONS), len(WINDOW_LEVELS))

    def forward(self, context: Tensor, mask: Tensor) -> Tensor:
        """Quantiles after the last bucket of a context (B, C)."""
        read = self.read(torch.stack([torch.log1p(context), mask], dim=2)) + self.place
        return self.head(self.block(read).mean(1))


def generated_demand(keys: int, days: int) -> np.ndarray:
    """Intermittent demand with a weekly season, (T, B)."""
    rng = np.random.default_rng(7)
    rate = np.exp(rng.uniform(np.log(0.2), np.log(40), keys)) * rng.gamma(4, 1 / 4, (days, keys))
    week = 1 + 0.6 * np.sin(2 * np.pi * (np.arange(days)[:, None] + rng.integers(0, 7, keys)) / 7)
    return rng.poisson(rate * week).astype(np.float32)


def streamed(demand: np.ndarray) -> tuple[Tensor, Tensor]:
    """Inputs (T, B, F) and scales (T, B) after each bucket, by the code that serves."""
    memory = fresh_memory(SPEC, demand.shape[1])
    state = FeatureState.view(SPEC, memory)
    inputs, scales = [], []
    for day, units in enumerate(demand):
        ones, age = np.ones_like(units), np.full(len(units), day, dtype=np.int32)
        closed = ClosedBucket(15_000 + day, units, np.sign(units), ones, age)
        observe(SPEC, state, closed)
        inputs.append(features(SPEC, state, closed))
        scales.append(state.scale.copy())
    return torch.tensor(np.stack(inputs)), torch.tensor(np.stack(scales))


def sums_ahead(demand: np.ndarray, horizons: tuple[int, ...]) -> Tensor:
    """Demand summed over the next h buckets, (T, B, H), for the buckets that have the longest one."""
    total = np.concatenate([np.zeros((1, demand.shape[1])), demand.cumsum(0)])
    last = len(demand) - horizons[-1]
    return torch.tensor(np.stack([total[1 + h : last + 1 + h] - total[1 : last + 1] for h in horizons], 2)).float()


def pinball(wanted: Tensor, quantiles: Tensor, levels: Tensor) -> Tensor:
    """Mean pinball loss of quantiles (…, H, Q)."""
    error = wanted[..., None] - quantiles
    return torch.maximum(levels * error, (levels - 1) * error).mean()


def fitted(net: nn.Module, steps: int, loss: Callable[[], Tensor]) -> nn.Module:
    """Fit a net and leave training mode, in which an export would be another model."""
    torch.manual_seed(0)
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    for step in range(steps):
        optimiser.zero_grad()
        found = loss()
        found.backward()
        optimiser.step()
        if step % 50 == 0:
            print(f"{type(net).__name__} step {step}: loss {found.item():.4f}")
    return net.eval()


def fitted_step(demand: np.ndarray) -> nn.Module:
    """Fit the LSTM to every bucket after the first two weeks."""
    inputs, scales = streamed(demand)
    wanted = sums_ahead(demand, STEP_HORIZONS)
    torch.manual_seed(0)
    net = StepNet(inputs.shape[2])

    def loss() -> Tensor:
        keys = torch.randint(demand.shape[1], (32,))
        quantiles = net.over(inputs[: len(wanted), keys])[14:]
        return pinball(wanted[14:, keys] / scales[14 : len(wanted), keys, None], quantiles, STEP_LEVELS)

    return fitted(net, 150, loss)


def fitted_window(demand: np.ndarray) -> nn.Module:
    """Fit the attention to windows drawn at random, some of them of young keys."""
    wanted, series = sums_ahead(demand, WINDOW_HORIZONS), torch.tensor(demand)
    torch.manual_seed(0)
    net = WindowNet()

    def loss() -> Tensor:
        ends, keys = torch.randint(CONTEXT, len(wanted), (128,)), torch.randint(demand.shape[1], (128,))
        context = torch.stack([series[end - CONTEXT + 1 : end + 1, key] for end, key in zip(ends, keys, strict=True)])
        mask = (torch.arange(CONTEXT) >= torch.randint(0, CONTEXT - 7, (128, 1))).float()
        mean = ((context * mask).sum(1) / mask.sum(1)).clamp(min=1 / 14)  # as `--scale mean` does it
        quantiles = net(context * mask / mean[:, None], mask)
        return pinball(wanted[ends, keys] / mean[:, None], quantiles, WINDOW_LEVELS)

    return fitted(net, 200, loss)


def export(net: nn.Module, shown: dict[str, Tensor], outputs: list[str], folder: Path, name: str) -> None:
    """Write a net by both exporters; the batch is free, weights are in the file, and vectors go beside it."""
    inputs = tuple(shown.values())
    torch.onnx.export(
        net,
        inputs,
        str(folder / f"{name}_torchscript.onnx"),
        input_names=list(shown),
        output_names=outputs,
        dynamic_axes={value: {0: "batch"} for value in [*shown, *outputs]},
        opset_version=18,
        dynamo=False,
    )
    torch.onnx.export(
        net,
        inputs,
        str(folder / f"{name}_dynamo.onnx"),
        input_names=list(shown),
        output_names=outputs,
        dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in inputs),
        external_data=False,
        dynamo=True,
    )
    for exporter in ("torchscript", "dynamo"):
        strip_traces(folder / f"{name}_{exporter}.onnx")
    with torch.no_grad():
        found = net(*inputs)
    made = dict(zip(outputs, found if isinstance(found, tuple) else (found,), strict=True))
    vectors = {"inputs": rounded(shown), "outputs": rounded(made)}
    (folder / f"{name}_vectors.json").write_text(json.dumps(vectors) + "\n")


def strip_traces(path: Path) -> None:
    """Take out what exporters note beside the graph: stack traces with the paths of this machine."""
    model = onnx.load(path)
    graph = model.graph
    parts = (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for part in parts:
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.save(model, path)


def rounded(tensors: dict[str, Tensor]) -> dict[str, list[object]]:
    """Return tensors as nested lists for JSON."""
    return {name: np.round(tensor.numpy().astype(np.float64), 5).tolist() for name, tensor in tensors.items()}


def main(folder: Path) -> None:
    """Fit both models and write their graphs and vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    demand = generated_demand(200, 120)
    drawn = torch.Generator().manual_seed(1)
    features = torch.randn(3, SPEC.inputs, generator=drawn).mul(100).round().div(100)
    state = torch.randn(3, 2 * UNITS, generator=drawn).mul(10).round().div(100)
    export(fitted_step(demand), {"features": features, "state": state}, ["quantiles", "state_out"], folder, "step")
    context, mask = torch.rand(3, CONTEXT, generator=drawn).mul(300).round().div(100), torch.ones(3, CONTEXT)
    mask[1, :20] = 0
    shown = {"context": context * mask, "mask": mask}
    export(fitted_window(demand), shown, ["quantiles"], folder, "window")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
