"""A notched strip: its mesh, its patches, and the strains averaged over them."""
