"""Embedding: the texts of the landing tables as vectors, always in step with them, never embedded twice.

Belongs here: texts, providers (`providers`), the job queue and its worker, models and cutover, search. Does not
belong here: how the texts' rows arrive (`landing`), how a frame of vectors is written (`io_managers`).
"""
