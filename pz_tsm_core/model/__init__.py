"""Domain values: frozen, checked when built; no IO, no pandas."""
