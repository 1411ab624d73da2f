"""What a run can be asked for: the choices that the trigger form offers and the code obeys."""

from __future__ import annotations

from typing import Literal

Scaling = Literal["none", "standard", "robust"]
"""How features are weighed against each other: as they are, in standard deviations, or in
interquartile ranges."""

DeliveryMode = Literal["auto", "send", "hold"]
"""Whether the list is mailed: if the kind of run does so by itself, in any case, or not at all."""

LARGEST_K = 40
"""The most clusters that a run can be asked to make."""
