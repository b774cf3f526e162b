"""Layers that several stages are made of: norms, dropout, MLP, pooling, losses. Imports core."""
