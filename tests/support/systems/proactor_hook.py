"""Has a Python that starts use the Proactor loop (`proactor`) as soon as it imports asyncio.

`scripts/proactor.py` names this module in a `.pth` file of an environment made for it, so every process of that
environment is one: the tests, each bridge, each login process, and whatever else they start with its Python. It imports
next to nothing itself: a bridge that starts should load what it loads elsewhere.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class WhenAsyncioIsImported:
    """Finds asyncio as Python does, and goes on when it is loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """What `importlib.abc.MetaPathFinder` says."""
        if name != "asyncio":
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type, unused-ignore]
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment, unused-ignore]
        return spec


class _Loader:
    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._real.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        from tests.support.systems import proactor

        proactor.use()


if sys.platform == "linux" and "asyncio" not in sys.modules:
    sys.meta_path.insert(0, WhenAsyncioIsImported())  # type: ignore[arg-type, unused-ignore]
