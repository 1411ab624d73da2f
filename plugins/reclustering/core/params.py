"""The choices that the trigger form and the settings offer, and the code obeys."""

from __future__ import annotations

from typing import Literal

Scaling = Literal["none", "standard", "robust", "log"]
"""How features are weighed against each other: as they are, in standard deviations, in medians of the
customers above 0, or as logarithms."""

Outliers = Literal["keep", "set_aside"]
"""Whether customers far from all others take part in the fit."""

DeliveryMode = Literal["auto", "send", "hold"]
"""Whether the list is mailed: if the kind of run does so by itself, in any case, or not at all."""

Attached = Literal["xlsx", "csv"]
"""As which kind of file the list goes with the mail: for people, or for machines."""

Unchanged = Literal["note", "silence"]
"""What recipients get of a list that is the one they have: a short mail, or nothing."""

LARGEST_K = 40
"""The most clusters that a run can be asked to make."""

PATIENCE = 7
"""Days in a row for which the evidence must speak for another number of groups before k changes."""
