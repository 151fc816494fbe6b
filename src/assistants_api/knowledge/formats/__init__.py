"""One reader for each family of file formats; each imports its library only when it is used."""
