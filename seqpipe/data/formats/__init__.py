"""Files that rows are read from: manifests, column files, folders, parallel text, the Hub."""
