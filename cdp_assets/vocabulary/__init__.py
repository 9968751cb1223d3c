"""The words that sources use for the same things, and ours for them: one truth for LEO and the shop, Python and SQL.

Belongs here: vocabularies as data, how words are compared, and the dbt macros written from them. Does not belong here:
what a stage does with a word, the numeric codes of LEO (`landing.codes`).
"""
