"""
A deterministic world in which everything that may happen, happens: one seed is one run.

The whole engine, from `Mailbox` down, against the simulator's mailbox without HTTP, folders in
memory, SQLite in memory and a clock that costs nothing. Every wait on a port and every write is a
point at which a person may act, the service may fail, the disk may be full, or syncd be killed.
What it should have come to is said by a model that knows nothing of syncd (`judge`).
"""
