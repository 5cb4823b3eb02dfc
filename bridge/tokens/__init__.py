"""The access token in use, and the login process that obtains one."""
