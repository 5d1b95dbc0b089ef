"""What came to rest without being converted, or with an older version, goes through the pipeline again."""
