"""Images of lines: opening files, finding ink, cutting lines out of pages."""
