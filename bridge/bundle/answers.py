"""What a bundle's program does before the bridge starts: a setting that the user left empty counts as not given.

A host passes such a setting as an empty text, or leaves `${user_config.NAME}` as it is. A header or secret that would
take its value from there is left out too; otherwise the bridge would say that a variable is missing.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping

from bridge.bundle.questions import ANSWER_PREFIX, HEADER_VARIABLE, SECRET_VARIABLE
from bridge.config import VARIABLES_PREFIX

_UNANSWERED = r"\s*(?:\$\{user_config\.[^{}]*\}\s*)?"
_ANSWER_IN_HEADER = rf"\$\{{({ANSWER_PREFIX}\w+)\}}"


def drop_unanswered(environ: MutableMapping[str, str]) -> None:
    """Remove from `environ` what has no answer."""
    for name in [name for name in environ if name.startswith((VARIABLES_PREFIX, ANSWER_PREFIX))]:
        if re.fullmatch(_UNANSWERED, environ[name]):
            del environ[name]
    if headers := environ.get(HEADER_VARIABLE):
        lines = [line for line in headers.splitlines() if _has_answer(line, environ)]
        environ[HEADER_VARIABLE] = "\n".join(lines)
    kind, _, name = environ.get(SECRET_VARIABLE, "").partition(":")
    if kind == "env" and name.startswith(ANSWER_PREFIX) and name not in environ:
        del environ[SECRET_VARIABLE]


def _has_answer(header: str, environ: MutableMapping[str, str]) -> bool:
    if re.fullmatch(_UNANSWERED, header):
        return False
    return all(name in environ for name in re.findall(_ANSWER_IN_HEADER, header))
