"""The parts of ``scripts/bench.py``: a thin server, the columns that talk to it, the rows, the table."""
