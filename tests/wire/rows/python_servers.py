"""uvicorn and Hypercorn, which serve Python programs."""

from __future__ import annotations

from pathlib import Path

from tests.wire.equipment import IDLE, Command, Equipment, PyPi, Site, TestEnvironment

_ROOT = Path(__file__).parents[3]
_PYTHON_IDLE = 5.0
"""Seconds after which both close an idle connection by default, unannounced."""
_DOORS = ("plain", "tls", "brief", "guarded")


def _running(site: Site, program: str) -> list[Command]:
    run = [site.python(), "-m", f"tests.wire.programs.{program}", str(site.as_json())]
    return [Command(run, {"PYTHONPATH": str(_ROOT)})]


def uvicorn(site: Site) -> list[Command]:
    return _running(site, "uvicorn_doors")


def hypercorn(site: Site) -> list[Command]:
    return _running(site, "hypercorn_doors")


def says(package: str) -> list[str]:
    return ["-c", f"from importlib.metadata import version; print(version({package!r}))"]


EQUIPMENT = (
    Equipment(
        name="uvicorn",
        source=TestEnvironment(),
        doors=_DOORS,
        start=uvicorn,
        version=lambda site: [site.python(), *says("uvicorn")],
        serves=True,
        idle={"brief": IDLE, "plain": _PYTHON_IDLE},
        quick=True,
    ),
    Equipment(
        name="uvicorn-httptools",
        source=PyPi(("uvicorn==0.54.0", "httptools==0.9.0", "uvloop==0.23.0; sys_platform != 'win32'")),
        doors=_DOORS,
        start=uvicorn,
        version=lambda site: [site.python(), *says("uvicorn")],
        serves=True,
        idle={"brief": IDLE, "plain": _PYTHON_IDLE},
    ),
    Equipment(
        name="hypercorn",
        source=PyPi(("hypercorn==0.18.0",)),
        doors=_DOORS,
        start=hypercorn,
        version=lambda site: [site.python(), *says("hypercorn")],
        serves=True,
        idle={"brief": IDLE, "plain": _PYTHON_IDLE},
    ),
)
