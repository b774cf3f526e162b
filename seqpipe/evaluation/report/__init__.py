"""Reports that open in any browser, each a single file."""
