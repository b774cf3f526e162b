"""What heads answer with, one file a kind, and how answers of segments become one. Imports core and text."""
