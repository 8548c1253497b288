"""Eight changes of a text, each as a person would do it."""

import numpy as np
import pytest

from sealift_bundler.probe.text_changes import CHANGES


class Fixed:
    def __init__(self, value):
        self.value = value

    def random(self):
        return self.value


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("homoglyphs", "You ape!", "\u03a5\u043eu \u0430\u0440\u0435!"),
        ("leet", "Idiot base", "1d107 b453"),
        ("zero-width characters", "ab c12 def", "a\u200bb c12 d\u200be\u200bf"),
        ("spaced letters", "you are", "y o u a r e"),
        ("full-width letters", "Ab 1!", "\uff21\uff42 1!"),
        ("case", "You ARE", "yOU are"),
        ("swapped letters", "the fools", "the folos"),
        ("repeated letters", "you bad dog!", "yooou baaad dooog!!!"),
    ],
)
def test_a_change(name, text, changed):
    # 0.5: "fools" is cut at 1 + floor(0.5 * 2) = 2; the letter at floor(0.5 * 3) = 1 is repeated.
    assert CHANGES[name](text, Fixed(0.5)) == changed


def test_there_are_eight_and_each_changes_an_ordinary_sentence():
    text = "Please stop that, you idiot."
    changed = [change(text, np.random.default_rng(0)) for change in CHANGES.values()]
    assert len({text, *changed}) == 9


def test_letters_of_other_alphabets_and_digits_pass_through():
    for text in ("\u4f60\u597d 123", "", "..."):
        for name in ("homoglyphs", "leet", "full-width letters", "case"):
            assert CHANGES[name](text, np.random.default_rng(0)) == text
