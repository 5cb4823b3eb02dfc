"""Puts `FeatureMachine` in front of each machine of a run, with the parts that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bridge.config import Settings
from bridge.features.machine import FeatureMachine, FeatureParts
from bridge.features.parts import FeatureContext, FeaturePart
from bridge.session.commands import Report
from bridge.session.upstream import Machine, RouterContext


def features_in_front(settings: Settings) -> Callable[[Machine, RouterContext], Machine]:
    """What `HostRouter` takes as `in_front`. All upstreams of the run share its parts."""
    shared: list[FeatureParts] = []

    def in_front(machine: Machine, context: RouterContext) -> Machine:
        if not shared:
            known = FeatureContext(settings.url, lambda level, text: context.do(Report(level, text)))
            merges = {"on": True, "off": False}.get(settings.features.merge_pages)
            shared.append(FeatureParts(known, lambda about: _parts(settings, about), merges_pages=merges))
        return FeatureMachine(machine, shared[0], context.fresh)

    return in_front


def _parts(settings: Settings, context: FeatureContext) -> Sequence[FeaturePart]:
    """The parts, in the order in which an answer passes them. Each is imported where it is needed."""
    return ()
