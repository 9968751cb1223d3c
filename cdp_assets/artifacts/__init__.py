"""Artifacts: versions of datasets as files, in a local folder or in an object store.

Belongs here: where a version lies, what its manifest says, which one is the latest, which ones go. Does not belong
here: what a dataset holds (`datasets`). Knows nothing of Dagster and nothing of the warehouse.
"""
