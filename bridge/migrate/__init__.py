"""Moving over from other programs that connect a host to a remote server: what they were told becomes ours."""
