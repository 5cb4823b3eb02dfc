"""The runs of the client leg (scenario, revision, host) and which of them do not hold yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NOT_YET_FILE = Path(__file__).with_name("not_yet.txt")

LAST_LEGACY = "2025-11-25"
MODERN = "2026-07-28"
FIRST = "2025-03-26"

HOSTS = {FIRST: ("legacy",), LAST_LEGACY: ("legacy", "modern"), MODERN: ("legacy", "modern")}
"""The hosts each server revision is driven by. The first is here for its two old ways of logging in."""

_LEGACY_ONLY = frozenset({LAST_LEGACY})
_BOTH = frozenset({LAST_LEGACY, MODERN})
_MODERN_ONLY = frozenset({MODERN})

# The suite's scenarios that are not extensions, in its order. Pinned, because pytest names its tests before
# it is known whether there is a suite to ask; test_catalogue.py asks and compares.
SCENARIOS: dict[str, frozenset[str]] = {
    "initialize": _LEGACY_ONLY,
    "tools_call": _BOTH,
    "elicitation-sep1034-client-defaults": _LEGACY_ONLY,
    "sse-retry": _LEGACY_ONLY,
    "request-metadata": _MODERN_ONLY,
    "auth/metadata-default": _BOTH,
    "auth/metadata-var1": _BOTH,
    "auth/metadata-var2": _BOTH,
    "auth/metadata-var3": _BOTH,
    "auth/basic-cimd": _BOTH,
    "auth/scope-from-www-authenticate": _BOTH,
    "auth/scope-from-scopes-supported": _BOTH,
    "auth/scope-omitted-when-undefined": _BOTH,
    "auth/scope-step-up": _BOTH,
    "auth/scope-retry-limit": _BOTH,
    "auth/token-endpoint-auth-basic": _BOTH,
    "auth/token-endpoint-auth-post": _BOTH,
    "auth/token-endpoint-auth-none": _BOTH,
    "auth/pre-registration": _BOTH,
    "auth/2025-03-26-oauth-metadata-backcompat": frozenset({FIRST}),
    "auth/2025-03-26-oauth-endpoint-fallback": frozenset({FIRST}),
    "auth/resource-mismatch": _MODERN_ONLY,
    "auth/offline-access-scope": _MODERN_ONLY,
    "auth/offline-access-not-supported": _MODERN_ONLY,
    "auth/authorization-server-migration": _MODERN_ONLY,
    "auth/iss-supported": _MODERN_ONLY,
    "auth/iss-not-advertised": _MODERN_ONLY,
    "auth/iss-supported-missing": _MODERN_ONLY,
    "auth/iss-wrong-issuer": _MODERN_ONLY,
    "auth/iss-unexpected": _MODERN_ONLY,
    "auth/iss-normalized": _MODERN_ONLY,
    "auth/metadata-issuer-mismatch": _MODERN_ONLY,
    "sep-2322-client-request-state": _MODERN_ONLY,
    "http-standard-headers": _MODERN_ONLY,
    "http-custom-headers": _MODERN_ONLY,
    "http-invalid-tool-headers": _MODERN_ONLY,
    "json-schema-ref-no-deref": _MODERN_ONLY,
    "json-schema-2020-12-preservation": _BOTH,
}


EXTENSION = "extension"
"""In place of a revision: the suite's scenarios of extensions name none."""

EXTENSIONS = (
    "auth/client-credentials-jwt",
    "auth/client-credentials-basic",
    "auth/wif-jwt-bearer",
    "auth/enterprise-managed-authorization",
)
"""The scenarios of extensions that the bridge has."""


@dataclass(frozen=True, order=True)
class Run:
    """One scenario, at the revision its server speaks, driven by a legacy or a modern host."""

    revision: str
    host: str
    scenario: str

    def __str__(self) -> str:
        """Return the run as not_yet.txt writes it."""
        return f"{self.revision} {self.host} {self.scenario}"


def runs() -> list[Run]:
    """Return every run there is."""
    extensions = [Run(EXTENSION, host, scenario) for host in HOSTS[MODERN] for scenario in EXTENSIONS]
    return extensions + [
        Run(revision, host, scenario)
        for revision, hosts in HOSTS.items()
        for host in hosts
        for scenario, revisions in SCENARIOS.items()
        if revision in revisions
    ]


def listed_not_yet() -> list[str]:
    """Return the lines of not_yet.txt that name a run, as they stand."""
    lines = (line.partition("#")[0].strip() for line in NOT_YET_FILE.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]
