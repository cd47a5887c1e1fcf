"""What a model looks at, as a map that lies on the image."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

_COLOURS: Final = (
    (48, 18, 120),
    (40, 140, 240),
    (60, 220, 130),
    (250, 200, 40),
    (220, 30, 10),
)
"""From least to most."""
_COVER: Final = 0.75
"""How much of the image the strongest colour hides."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Heatmap:
    """How much each pixel of an image speaks for what was asked."""

    values: NDArray[np.float32]
    """(H, W), 0 or more; 0 where the model did not see the image."""
    image: NDArray[np.uint8]
    """RGB, (H, W, 3), as it was given."""
    method: str
    target: str
    """What was asked, in words."""
    score: float | None
    """What the model answered: a cosine, or a class's logit; None if nothing was."""

    def strongest(self, share: float) -> NDArray[np.bool_]:
        """The share of all pixels that speak most for it: (H, W).

        >>> import numpy as np
        >>> image = np.zeros((2, 2, 3), np.uint8)
        >>> values = np.array([[0, 1], [2, 3]], np.float32)
        >>> Heatmap(values, image, "gradcam", "", None).strongest(0.5).tolist()
        [[False, False], [True, True]]
        """
        import numpy as np

        count = round(share * self.values.size)
        chosen = np.zeros(self.values.size, bool)
        chosen[np.argsort(-self.values, axis=None, kind="stable")[:count]] = True
        return chosen.reshape(self.values.shape)

    def picture(self) -> Image.Image:
        """The map in colours over the image, blue for little and red for the most."""
        import numpy as np
        from PIL import Image

        most = self.values.max(initial=0)
        levels = self.values / most if most > 0 else self.values
        steps = np.linspace(0, 1, len(_COLOURS))
        channels = zip(*_COLOURS, strict=True)
        colours = np.stack([np.interp(levels, steps, each) for each in channels], -1)
        cover = _COVER * levels[..., None] ** 0.5
        mixed = (1 - cover) * self.image + cover * colours
        return Image.fromarray(np.rint(mixed).astype(np.uint8))

    def save(self, path: str | Path) -> None:
        """Write the picture; to a file that ends with ``.npy``, the values."""
        import numpy as np

        if Path(path).suffix == ".npy":
            np.save(path, self.values)
        else:
            self.picture().save(path)

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.picture().save(content, "PNG")
        return content.getvalue()

    def __repr__(self) -> str:
        height, width = self.values.shape
        score = "" if self.score is None else f" {self.score:.3f}"
        return f"<Heatmap {width}x{height}, {self.method}: {self.target}{score}>"
