"""What people typed, brought to one form before anything is compared, kept or shown. Plain Python without a database.

Belongs here: spelling, contacts, names of secrets and of personal columns, redaction of free text: every rule once,
for both sources and all stages. Does not belong here: which table a value goes into.
"""
