"""What the settings for tools, calls and lists come to in a run.

`FeatureMachine` stands in front of each machine, with the parts that the settings ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from bridge import PROGRAM
from bridge.app.lazy_features import LazyFeatures
from bridge.config import Settings
from bridge.config.feature_settings import PATTERNS, FeatureSettings, option_of
from bridge.protocol.jsonrpc import Request
from bridge.session.commands import Report
from bridge.session.deadlines import LongCalls
from bridge.session.upstream import Machine, RouterContext

if TYPE_CHECKING:
    from bridge.features.machine import FeatureMachine
    from bridge.features.parts import FeatureContext, FeaturePart, FeatureParts

    Later = Callable[[Callable[[], None]], None]


def features_in_front(settings: Settings) -> Callable[[Machine, RouterContext], Machine]:
    """What `HostRouter` takes as `in_front`. All upstreams of the run share its parts."""
    shared: list[FeatureParts] = []

    def in_front(machine: Machine, context: RouterContext) -> Machine:
        def later(work: Callable[[], None]) -> None:
            context.timers.new("features", work).start(0.0)

        def load(machine: Machine, initialize: Request | None) -> FeatureMachine:
            from bridge.features.machine import FeatureMachine

            if not shared:
                shared.append(_shared_parts(settings, context, later))
            if initialize is not None:
                shared[0].context.learn_host(initialize)
            return FeatureMachine(machine, shared[0], context.fresh)

        return LazyFeatures(machine, load, later)

    return in_front


def _shared_parts(settings: Settings, context: RouterContext, later: Later) -> FeatureParts:
    from bridge.features.parts import FeatureContext, FeatureParts

    known = FeatureContext(settings.url, lambda level, text: context.do(Report(level, text)), later)
    merges = {"on": True, "off": False}.get(settings.features.merge_pages)
    make = partial(_parts, settings)
    return FeatureParts(known, make, merges_pages=merges, max_result=settings.features.max_result or None)


def long_calls(settings: Settings) -> LongCalls:
    """What is done about calls that take long. With `--pass-through` the bridge says nothing of its own."""
    wanted = settings.features
    return LongCalls(wanted.tool_timeout, None if wanted.pass_through else wanted.keep_alive)


def _parts(settings: Settings, context: FeatureContext) -> Sequence[FeaturePart]:
    """The parts, in the order in which an answer passes them. Each is imported where it is needed."""
    own = settings.features
    parts: list[FeaturePart] = []
    if own.read_only or any(getattr(own, name) for name in PATTERNS):
        parts.append(_permissions(own, context))
    if own.pin_tools:
        parts.append(_pinned_tools(settings, context))
    from bridge.features.tool_definitions import ToolDefinitions

    parts.append(ToolDefinitions(context, settings.server_name))
    return parts


def _permissions(own: FeatureSettings, context: FeatureContext) -> FeaturePart:
    from bridge.features.permissions import Pattern, Permissions, Rule

    def patterns(*names: str) -> list[Pattern]:
        return [Pattern(option_of(name), text) for name in names for text in getattr(own, name)]

    rules = (
        Rule("tool", patterns("tools"), patterns("hide_tools", "ignore_tool")),
        Rule("prompt", patterns("prompts"), patterns("hide_prompts")),
        Rule("resource", patterns("resources"), patterns("hide_resources")),
    )
    return Permissions(context, rules, is_read_only=own.read_only)


def _pinned_tools(settings: Settings, context: FeatureContext) -> FeaturePart:
    from bridge.features.pins import PinnedTools
    from bridge.store.paths import platform_paths
    from bridge.store.pin_files import PinFile
    from bridge.tokens.login_order import tokens_key_of
    from bridge.tokens.typed_command import command_about

    book = PinFile(platform_paths(), tokens_key_of(settings))
    return PinnedTools(context, book, lambda action: command_about(f"{PROGRAM} tools {action}", settings))
