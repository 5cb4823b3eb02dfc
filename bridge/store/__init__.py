"""IO: stores secrets between runs, in the system keyring, a private file or memory; and locks for all processes."""
