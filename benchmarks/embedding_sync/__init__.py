"""From LEO documents to vectors in pgvector, the whole way, beside seed 000, CocoIndex and dlt.

Belongs here: one module per way, their common documents, embedder and protocol, and the run that compares them.
"""
