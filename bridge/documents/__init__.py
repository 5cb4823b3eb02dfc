"""IO: configuration files of the user and of hosts: read with places, edited as text, replaced safely."""
