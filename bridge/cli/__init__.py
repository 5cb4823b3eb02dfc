"""The command line: commands, options, exit codes. The only room that ends the process."""
