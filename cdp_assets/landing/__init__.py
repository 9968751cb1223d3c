"""Landing: LEO documents become typed rows of `cdp.*`.

One module per collection holds its contract (attributes -> columns). `batch` applies a contract, `sync` decides
what is read, `replay` gives quarantined documents another try, `derived` holds what follows from landed rows.
"""
