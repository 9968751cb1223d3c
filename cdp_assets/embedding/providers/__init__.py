"""Providers: texts in, unit vectors out, whatever computes them.

Belongs here: the models that run on this machine, the services that are called over HTTP, and the one protocol that
all of them keep (`model`). Does not belong here: which text is embedded and when (queue, worker), where vectors are
stored. Nothing here retries: an error's class says what the worker should do.
"""
