"""What deploy/check.py checks, a module a subject. Each check takes the root of the repository and gives a list of complaints."""
