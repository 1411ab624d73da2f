"""What a person is asked, and what was decided."""
