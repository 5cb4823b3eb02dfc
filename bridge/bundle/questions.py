"""What the user of a bundle is asked, and how the answers reach the bridge: the environment, never the arguments.

| question | `user_config` | variables of the bridge |
|---|---|---|
| `url` | a string | `MCP_BRIDGE_URL` is the answer |
| `header:NAME` | a secret string | a line `NAME: ${MCP_BUNDLE_HEADER_1}` of `MCP_BRIDGE_HEADER`, and that variable |
| `header` | a secret string | the answer is a line of `MCP_BRIDGE_HEADER` |
| `client-secret` | a secret string | `MCP_BRIDGE_CLIENT_SECRET=env:MCP_BUNDLE_CLIENT_SECRET`, and that variable |
| any other option | a string, number, boolean or file | its variable is the answer |

A secret has a variable of its own where the bridge would otherwise read it: a `${` in it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

ANSWER_PREFIX = "MCP_BUNDLE_"
"""How the names of the variables begin that hold an answer which another variable names."""

URL_VARIABLE, HEADER_VARIABLE, SECRET_VARIABLE = "MCP_BRIDGE_URL", "MCP_BRIDGE_HEADER", "MCP_BRIDGE_CLIENT_SECRET"
_SECRET_ANSWER = f"{ANSWER_PREFIX}CLIENT_SECRET"

AnswerType = Literal["string", "number", "boolean", "file"]


class Question(msgspec.Struct, frozen=True):
    """A setting that the user of the bundle fills in.

    `variable` is what it sets, and `header` the name of the header, where it is the value of one.
    """

    key: str
    title: str
    description: str
    variable: str
    type: AnswerType = "string"
    header: str = ""
    is_secret: bool = False
    is_required: bool = False

    def user_config(self) -> dict[str, object]:
        """The entry of the manifest's `user_config`."""
        entry: dict[str, object] = {"type": self.type, "title": self.title, "description": self.description}
        if self.type == "boolean":
            entry["default"] = False
        if self.is_secret:
            entry["sensitive"] = True
        return {**entry, "required": self.is_required}

    @property
    def placeholder(self) -> str:
        """What the host replaces by the answer."""
        return f"${{user_config.{self.key}}}"


def header_question(name: str, *, is_required: bool) -> Question:
    """The question for the value of the header `name`."""
    return Question(
        key="header_" + re.sub(r"\W", "_", name.lower(), flags=re.ASCII),
        title=name,
        description=f"The value of the header {name}, which is sent with every request.",
        variable=HEADER_VARIABLE,
        header=name,
        is_secret=True,
        is_required=is_required,
    )


def environment_of(fixed: Mapping[str, str], questions: Iterable[Question]) -> dict[str, str]:
    """The variables with which the host starts the bridge: the `fixed` ones, and those that hold answers."""
    environ = dict(fixed)
    for question in questions:
        match question.variable:
            case "MCP_BRIDGE_HEADER":
                line = question.placeholder
                if question.header:
                    answer = f"{ANSWER_PREFIX}{question.key.upper()}"
                    environ[answer], line = line, f"{question.header}: ${{{answer}}}"
                before = environ.get(HEADER_VARIABLE)
                environ[HEADER_VARIABLE] = f"{before}\n{line}" if before else line
            case "MCP_BRIDGE_CLIENT_SECRET":
                environ[SECRET_VARIABLE] = f"env:{_SECRET_ANSWER}"
                environ[_SECRET_ANSWER] = question.placeholder
            case variable:
                environ[variable] = question.placeholder
    return environ


def asked_twice(questions: Sequence[Question]) -> str:
    """The key that two of these questions share; empty where there is none."""
    keys = [question.key for question in questions]
    return next((key for key in keys if keys.count(key) > 1), "")
