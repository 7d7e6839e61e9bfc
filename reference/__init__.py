"""What is generated from the models: JSON Schemas, reference pages, the declarations in Pulumi.yaml.

python -m reference            write what is stale
python -m reference --check    write nothing; exit code 1 when something is stale
"""
