"""Draw the picture of the README from a finished demo: `make pictures`."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt

# Okabe & Ito: told apart by colour-blind readers.
COLOURS = {"train": "#0072B2", "validation": "#E69F00", "test": "#009E73"}


def sky(axes: plt.Axes, table: pd.DataFrame) -> None:
    """Where the galaxies are, RA increasing to the left."""
    ra = np.radians((table.ra + 180) % 360 - 180)
    axes.scatter(-ra, np.radians(table.dec), s=14, color="#0072B2", lw=0)
    axes.set_xticks(np.radians(np.arange(-120, 121, 60)), ["8h", "4h", "0h", "20h", "16h"], size=7)
    axes.set_yticks(np.radians([-60, -30, 0, 30, 60]), ["-60°", "-30°", "0°", "30°", "60°"], size=7)
    axes.grid(visible=True, alpha=0.3)
    axes.set_title(f"{len(table):,} galaxies with redshift and LSST photometry", size=9, pad=14)


def redshifts(axes: plt.Axes, table: pd.DataFrame) -> None:
    """N(z) of every part of the split."""
    bins = np.linspace(0, 1.5, 31)
    for part, colour in COLOURS.items():
        mine = table[table.split == part]
        axes.hist(mine.z, bins, histtype="step", lw=1.6, color=colour,
                  label=f"{part} ({len(mine):,})")
    axes.set(xlabel="z", ylabel="galaxies per bin", yscale="log")
    axes.legend(frameon=False, fontsize=8)
    axes.set_title("Every galaxy is on one side", size=9)


def magnitudes(axes: plt.Axes, table: pd.DataFrame) -> None:
    """Colour against redshift, by magnitude: what a photo-z code learns."""
    colour = table.mag_g - table.mag_i
    points = axes.scatter(table.z, colour, c=table.mag_i, s=4, cmap="viridis_r", vmin=17, vmax=25)
    axes.set(xlabel="z", ylabel="g - i, dereddened [mag]", xlim=(0, 1.5), ylim=(0, 3))
    plt.colorbar(points, ax=axes, label="i [mag]")
    axes.set_title("What a photo-z code learns", size=9)


def main(table: Path, picture: Path) -> None:
    """Draw the three panels of a training set."""
    rows = pd.read_parquet(table)
    figure = plt.figure(figsize=(12, 3.4), layout="constrained")
    sky(figure.add_subplot(1, 3, 1, projection="aitoff"), rows)
    redshifts(figure.add_subplot(1, 3, 2), rows)
    magnitudes(figure.add_subplot(1, 3, 3), rows)
    figure.savefig(picture, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
