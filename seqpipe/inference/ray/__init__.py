"""The same on a Ray cluster: windows to actors, answers in order."""
