"""What the same load would cost elsewhere: other sizes, versions and services, with Spark's reader and with ours."""
