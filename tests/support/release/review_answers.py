"""Complete answers of an author, and a judge of bills of materials."""


def said_of(bom: str) -> object:
    """What the official schema, strictly read, finds wrong in it; None for nothing."""
    # A second of processor time, in each process that collects tests.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom)


ANSWERS = """\
schema = "sealift.review/1"
risk = "limited"
[use]
purpose = "Says whether a car is new."
users = ["dealers"]
decision = "advises"
security_model = false
out_of_scope = ["prices"]
[[datasets]]
name = "cars"
owner = "the team of cars"
classification = "public"
personal_data = false
license = "CC-BY-4.0"
private_projects = false
[preprocessing]
steps = ["rows without a year were dropped"]
[licenses]
model = "MIT"
data = ["CC-BY-4.0"]
[export]
control = "none applies"
[evaluation]
metrics = {accuracy = 0.93}
slices = [{name = "old cars", accuracy = 0.8}]
[abuse]
atlas = ["AML.T0015"]
mitigation = "a person decides"
[limits]
known = ["trucks"]
[golden]
source = "generated"
"""
