"""What is set aside: looked at, released into the pipeline again, purged; and the size rule tried on recorded sizes."""
