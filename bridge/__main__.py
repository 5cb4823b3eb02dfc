"""`python -m bridge` is `mcp-remote-bridge`; with the one word `login-process` it is a login (`app/login_process`)."""

import sys

if __name__ == "__main__":
    if sys.argv[1:] == ["login-process"]:
        # Not by way of the command line: what that has to import is time that a person waits for his tab.
        from bridge.app.login_process import run_login_process

        sys.exit(run_login_process())
    from bridge.cli.main import main

    main()
