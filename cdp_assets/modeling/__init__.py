"""Modeling: dbt turns landed rows into one canonical model and marts.

The SQL is in `dbt_project/`. Here is what runs it: `project` prepares the manifest, `assets` are the Dagster assets,
`outcome` reads what dbt says of a run, `current` tells whether one is needed.
"""
