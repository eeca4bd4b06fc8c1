"""The methods of the API, one module per REST resource."""
