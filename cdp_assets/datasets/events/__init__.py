"""Dataset F: events with their sessions, sessions, behaviour of customers, funnels; brought up to date by what changed.

`identity` says whose an event is, `sessions` which visit it is of, `summaries` (F1, F2), `behaviour` (F3) and `funnels`
what follows; `build` makes all tables of some visitors, `delta` finds the visitors that a change touches, `store` and
`run` do it in the warehouse.
"""
