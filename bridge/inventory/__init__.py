"""What the commands list: stored sign-ins, running instances, servers named in hosts' files."""
