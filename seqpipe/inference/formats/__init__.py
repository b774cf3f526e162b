"""Files of answers: JSON lines, tables, subtitles, column files, pages."""
