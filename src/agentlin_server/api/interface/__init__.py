"""The parts of the OpenAPI document: schemas, parameters, operations, errors, examples."""
