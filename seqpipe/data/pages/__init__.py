"""Documents that describe pages, ALTO and PAGE: their lines as rows, and answers written into them."""
