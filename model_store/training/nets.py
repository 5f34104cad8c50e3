"""Shapes of nets: what stands between the two dense layers that read the inputs and the head. Pure values.

`network` builds them for TensorFlow, `export` writes them as step graphs.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self

LARGEST_UNITS = 4096
MOST_LAYERS = 16
_NAME = re.compile(r"(lstm|cnn|mlp)_(\d{1,2})x(\d{1,4})")


@dataclass(frozen=True, slots=True)
class Net:
    """One net.

    Attributes:
        core: ``lstm``: recurrent layers; ``cnn``: causal convolutions over two buckets, the second twice as far
            back as in the layer before; ``mlp``: dense layers, which see the bucket alone and remember nothing.
        widths: Units of each layer of the core, first one first.
        dense_units: Units of the dense layers around it.

    Raises:
        ValueError: If there are no layers, too many, or too wide ones.

    Example:
        >>> Net("lstm", (50, 50), 50).state_floats, Net("cnn", (16, 16, 16), 64).state_floats
        (200, 112)
    """

    core: Literal["lstm", "cnn", "mlp"] = "lstm"
    widths: tuple[int, ...] = (64,)
    dense_units: int = 64

    def __post_init__(self) -> None:
        if not 1 <= len(self.widths) <= MOST_LAYERS:
            raise ValueError(f"a net has 1 to {MOST_LAYERS} layers, got {len(self.widths)}")
        if not all(1 <= width <= LARGEST_UNITS for width in (*self.widths, self.dense_units)):
            raise ValueError(f"layers have 1 to {LARGEST_UNITS} units, got {self.widths} and {self.dense_units}")
        if self.core == "cnn" and len(set(self.widths)) > 1:
            raise ValueError(f"convolutions add to what they read, so all have one width, got {self.widths}")

    @property
    def state_floats(self) -> int:
        """R: floats carried per key; 1 unused one where nothing is remembered."""
        match self.core:
            case "lstm":
                return 2 * sum(self.widths)
            case "cnn":
                return sum(width * reach for width, reach in zip(self.widths, self.reaches, strict=True))
            case "mlp":
                return 1

    @property
    def reaches(self) -> tuple[int, ...]:
        """How many buckets back the second tap of each convolution is: doubled from layer to layer."""
        return tuple(2**layer for layer in range(len(self.widths)))

    @property
    def own_units(self) -> int:
        """Units of the dense layer before the core: a convolution adds to it, so they have one width."""
        return self.widths[0] if self.core == "cnn" else self.dense_units

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Return the net of a name such as ``lstm_2x50``: two layers of 50, dense layers as wide; None for others.

        Raises:
            ValueError: If a size is out of range.

        Example:
            >>> Net.named("lstm_4x512").widths, Net.named("prophet")
            ((512, 512, 512, 512), None)
        """
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        core, layers, units = found[1], int(found[2]), int(found[3])
        return cls(core, (units,) * layers, 64 if core == "cnn" else units)  # type: ignore[arg-type]  # of the pattern


PRESETS: dict[str, Net] = {
    "lstm": Net("lstm", (64,), 64),
    "lstm_2x50": Net("lstm", (50, 50), 50),
    "cnn": Net("cnn", (16,) * 5, 64),
    "mlp": Net("mlp", (64,), 64),
}
"""Nets by name; the first is what is trained if nothing is said."""
AVERAGED = ("lstm", "mlp", "cnn")
"""Members of the model ``average``."""
