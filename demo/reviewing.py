"""The act about reviews: a pasted token, invented golden rows, two reviewers, and an instance that asks for both."""

from transcript import Place, Transcript

_POLICY = """\
schema = "sealift.policy/1"
[require.models."spam-*"]
roles = ["security", "legal"]
"""
_SIGNERS = "--key keys/builder.pem --key keys/approver.pem"


def review(story: Transcript, release: Place, instance: Place) -> None:
    """Tell it."""
    digest = look(story, release)
    decide(story, release, instance, digest)


def look(story: Transcript, release: Place) -> str:
    """Let machines look first, then people; return the digest that they looked at."""
    story.part("Reviews: who lets a model out")
    story.step("Security and legal get keys of their own, and both people of the root put them there.")
    for role in ("security", "legal"):
        story.run(release, f"sealift-keys new keys/{role}.pem", quiet=True)
        command = f"sealift-keys reviewer channel --role {role} --add keys/{role}.pem.pub {_SIGNERS}"
        story.run(release, command)
    story.step("A model learned from comments, and somebody had pasted a token into one. Nothing is staged.")
    add = "sealift-bundler add models/spam-comments/recipe-{}.toml --channel channel"
    story.run(release, add.format("leaky"), status=60, contains="gitlab-token in frontend.json")
    story.step("Trained again without it. The rows that travel are invented, and the author answers for reviewers.")
    story.run(release, "cat models/spam-comments/golden.txt")
    added = story.run(release, add.format("model"), contains="golden.txt travel; no sample row does")
    digest = next(line for line in added.splitlines() if line.startswith("added ")).split(" ")[-1]
    story.step("Reviewers read a dossier: answers, findings, proof, probe, bill of materials, on one page.")
    story.run(release, "sealift-bundler dossier channel spam-comments:1.0.0 -o dossier", contains="missing: security")
    return digest


def decide(story: Transcript, release: Place, instance: Place, digest: str) -> None:
    """Let reviewers approve, one after the other, and an instance ask for both."""
    make = f"sealift-bundler release --channel channel {_SIGNERS}"
    pack = "sealift-bundler pack --channel channel -o ../instance/"
    approve = "sealift-keys review channel spam-comments 1.0.0 --role {0} --approve --digest {1} --key keys/{0}.pem"
    story.step("Without their approval nothing is released.")
    story.run(release, make, status=61, contains="[unapproved]")
    story.step("Security approves exactly these bytes. For this class of risk that is enough to release.")
    story.run(release, approve.format("security", digest), contains="approved")
    story.run(release, make, contains="made release 4")
    story.run(release, pack, quiet=True)
    story.step("The admin of this instance asks for more: whatever is called spam needs legal, too.")
    (instance.directory / "policy.toml").write_text(_POLICY, "utf-8")
    story.run(instance, "cat policy.toml")
    story.run(instance, "sealift policy set policy.toml")
    story.run(instance, "sealift install gitlab-models-4.tar", status=29, contains="legal: 0 of 1 approvals")
    story.step("Legal approves the same bytes, and the next bundle is accepted.")
    story.run(release, approve.format("legal", digest), contains="approved")
    story.run(release, make, contains="made release 5")
    story.run(release, pack, quiet=True)
    story.run(instance, "sealift install gitlab-models-5.tar", contains="spam-comments 1.0.0")
    story.run(instance, "sealift predict spam-comments --input application/rows/two-comments-about-spam.txt")
    story.step("Who approved it, until when? The signed statements came with the bundle.")
    story.run(instance, "sealift review spam-comments", contains="security")
