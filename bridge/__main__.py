"""`python -m bridge` is `mcp-remote-bridge`; with the one argument `login-process` it is a login process."""

import sys

from bridge import PROGRAM


def _stop(problem: str) -> None:
    sys.stderr.write(f"{PROGRAM}: error: {problem}\n")
    sys.exit(1)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this reports it
        # Before anything else is imported, because an older Python cannot compile it all.
        _stop("This needs Python 3.11 or newer; {} is {}.".format(sys.executable, sys.version.partition(" ")[0]))
    if sys.argv[1:] == ["login-process"]:
        # Not through the command line, whose imports would delay the browser that the user waits for.
        from bridge.tokens.login_process import run_login_process

        sys.exit(run_login_process())
    try:
        from bridge.cli.main import main
    except ModuleNotFoundError as error:
        from bridge.errors import missing_package

        if not (said := missing_package(error.name)):
            raise
        _stop(said)
    main()
