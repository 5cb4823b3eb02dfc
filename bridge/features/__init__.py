"""The server's features (its tools, prompts and resources) as the host may see and use them. Pure.

`FeatureMachine` stands in front of a server's machine, behind any translator. It gives the host's requests and the
server's answers to parts, each of which mends or restricts one thing. With `--pass-through` there is none.
"""
