"""IO: where secrets rest between runs: the system keyring, a file only its owner may read, or memory; and the locks."""
