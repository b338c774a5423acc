"""What an API request costs, beside a bare handler that does the same SQL in the same run."""
