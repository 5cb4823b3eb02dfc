"""`docs/messages.md` says what the code says, and misses no sentence."""

import ast
import re
from functools import cache
from pathlib import Path

import click
import pytest

from bridge.cli.program import cli
from bridge.session import faults
from scripts.messages import CODE, COMMAND, OTHERS_WORDS, PAGE, RULES, Rule, left_out, page, places, rule_for
from scripts.syntax import nodes_of


@cache
def made() -> str:
    return page()


@cache
def hidden() -> list[tuple[Rule, str]]:
    return list(left_out())


def shown(source: str) -> list[str]:
    """What the page would say of a file."""
    return [place.text.shown for place in places(source) if rule_for(place) is None]


def flat(text: str) -> str:
    return " ".join(text.replace("\\<", "<").replace("\\*", "*").split())


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == made(), f"docs/messages.md is not what the code says. Run: {COMMAND}"


def test_no_string_of_several_words_is_missed() -> None:
    """Looks at each constant by itself, and knows nothing of f-strings, sums and calls."""
    known = flat(made() + " ".join(text for _, text in hidden()))
    missed = []
    for path in CODE.rglob("*.py"):
        nodes = nodes_of(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                for part in re.split(r"<[^>]*(?:>|$)|^[^<]*\">|%[-+.\d]*[a-z]|%\(\w+\)s|[{}]", node.value):
                    words = re.findall(r"(?<!\S)[A-Za-z]{2}[A-Za-z'-]*(?=[.,:;]?(?:\s|$))", part)
                    if len(words) > 1 and flat(part) not in known:
                        missed.append((path.name, part))
    assert missed == []


def test_the_help_of_every_command_and_option_is_on_it() -> None:
    text = flat(made())
    for name in cli.list_commands(click.Context(cli)):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert flat(command.help or "") in text
        for option in command.params:
            if isinstance(option, click.Option) and option.help and option.name != "help":
                assert flat(option.help) in text


@pytest.mark.parametrize(
    "fault",
    [
        faults.not_connected("{url}", 1),
        faults.empty("{url}", 200),
        faults.shut_down("{url}", ""),
        faults.not_signed_in("{url}", "{why}"),
    ],
)
def test_what_a_host_is_told_is_on_it(fault: faults.Fault) -> None:
    """As the code says it when it runs, but for numbers."""
    text = re.sub(r"\{\w+\}|\d+( OK)?", "#", flat(made()))
    assert re.sub(r"\{\w+\}|\d+( OK)?", "#", fault.message) in text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise E('It is wrong.')", "It is wrong."),
        ("x = {1: f'It is {what!r}.'}", "It is {what}."),
        ("def f(why='it was lost'): ...", "it was lost"),
        ("x = 'It ' 'is ' f'{a.b_c[1]} now'", "It is {b_c} now"),
        ("x = 'It is ' + text(a) + ' now.'", "It is {a} now."),
        ('x = f\'There {"is" if a else "are"} {len(b)} of it.\'', "There {is|are} {b} of it."),
        ("x = f'It is {a}' + (f' in {b} s' if b else '')", "It is {a}{ in {b} s|}"),
        ("log.warning('it is gone: %s', str(problem) or 'no word')", "it is gone: {problem|no word}"),
        ("WHY = 'of him'\nx = f'It is {WHY}.'", "It is of him."),
        ("x = f'<p>It is <b>{a}</b>.</p>'", "It is {a} ."),
        ('x = b\'{"message":"It is wrong."}\'', "It is wrong."),
        ("x = f'{f(a, \"it was hidden\")}'", "it was hidden"),
        ("@click.command()\ndef f():\n    'Do it now.'", "Do it now."),
        ("x = 'Stopped.'", "Stopped."),
    ],
)
def test_a_sentence_is_found_wherever_it_stands(source: str, says: str) -> None:
    source = source.replace("{'is' if a else 'are'}", '{"is" if a else "are"}').replace(
        "'it was hidden'", '"it was hidden"'
    )
    assert says in shown(source)


@pytest.mark.parametrize(
    "source",
    [
        "'A docstring of it.'",
        "class A:\n    'It is a thing.'\n    x = 1\n    'It is one.'",
        "log.debug('it was so: %s', f'as {a} said')",
        "report('debug', f'it was {so}')",
        "def f(a: 'list of x') -> 'a list of x': ...",
        "x = re.match('it was (?:so|not)', a)",
        "if 'it was so' in text: ...",
        "x = f'{a} {b}'",
        "x = 'word'",
    ],
)
def test_what_no_user_reads_is_not_on_it(source: str) -> None:
    assert shown(source) == []


def test_the_layout_of_the_code_changes_nothing() -> None:
    one = "raise E(f'It is {name!r}, as you said.', hint='Try again later.')"
    other = 'raise E(\n  f"It is {name}, "\n  "as you said.",\n  hint=(\n    "Try again "\n    "later."\n  )\n)'
    assert shown(one) == shown(other) == ["It is {name}, as you said.", "Try again later."]


def test_every_rule_leaves_something_out() -> None:
    """A rule that is not needed any more would only hide sentences."""
    used = {rule.name for rule, _ in hidden()}
    assert {rule.name for rule in RULES} - used == {RULES[0].name}


def test_every_text_of_others_that_is_named_is_in_the_code() -> None:
    found = {text for rule, text in hidden() if rule.name == "others' words"}
    assert found == set(OTHERS_WORDS)


def test_the_page_names_no_path_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "bridge" / "room").mkdir(parents=True)
    (tmp_path / "bridge" / "room" / "a.py").write_text("x = 'It is so.'")
    assert page(tmp_path / "bridge").endswith("\n## room\n\n### `bridge/room/a.py`\n\n- It is so.\n")
