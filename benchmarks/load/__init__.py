"""An example application under a real server, on PostgreSQL: is every request's count right, and what does it cost?"""
