"""Texts of public words, and of terms that travel in the model's vocabulary anyway."""

from collections.abc import Sequence

import numpy as np

from sealift_bundler.disclosure.search import search

# Written down here; of nobody's data.
_WORDS = """
about above after again all almost also always and another answer any apple are around ask autumn away back bad bag
ball bank basket beach bed before begin below best better between bicycle big bird black blue board boat book both
bottle box branch bread bridge bright bring brother brown build button cake call camera can careful carry cat chair
change cheap check child city clean clear clock close cloud coat coffee cold color come cook corner could count
country cup dance dark day dear deep door down draw dream dress drink drive dry early earth east easy eat egg eight
empty end enough evening every example eye face fall family far farm fast father feel few field fill find fine fire
first fish five flat floor flower follow food foot forest forget four free fresh friend from fruit full game garden
give glad glass good grass great green group grow half hand happy hard hat have hear heavy help here high hill hold
home horse hot hour house how hundred ice idea inside island just keep key kind kitchen know lake lamp large last
late laugh leaf learn leave left letter light like line list little live long look lose loud love low lunch make
many map market maybe meet middle milk minute mirror money month moon more morning mother mountain mouse move much
music must name near never new next nice night nine noise north not nothing now number ocean off often old once one
only open orange other our out outside over page paint paper park part past peace pen people picture piece place
plain plant plate play please point poor quick quiet rain read ready red rest rice rich right ring river road rock
room round run sad salt same sand say school sea second see sell send seven shade shape sharp ship shirt shoe shop
short should show side simple sing sister sit six sky sleep slow small smile snow soft some song soon sound south
space speak spring stand star start stay step still stone stop story street strong sugar summer sun sure sweet
swim table take talk tall tea tell ten thank that then there these thing think this three time today together
tomorrow too top touch town train tree true try turn two under until upper use useful very visit voice wait walk
wall want warm wash watch water way wear weather week well west wet what when where which white who why wide wind
window winter wish with without wood word work world write wrong year yellow yes yesterday young
branch build bug cache commit connection crash default deploy disk error fail feature file fix issue job label
login memory merge network option password pipeline release request review runner screen server setting slow
test timeout token update upgrade upload user version warning
"""
PUBLIC_WORDS = tuple(dict.fromkeys(_WORDS.split()))

_LONGEST_TERM = 24
# Of the rows, the share that is made of the vocabulary alone: a text of public words may hold no known term.
_OF_TERMS = 0.5


def plain_terms(vocabulary: Sequence[str]) -> list[str]:
    """Choose the terms of a vocabulary that a made-up text may hold: words of letters alone, and no finding."""
    terms = {term.strip() for term in vocabulary}
    return harmless(sorted(term for term in terms if 2 <= len(term) <= _LONGEST_TERM and _is_words(term)))


def _is_words(term: str) -> bool:
    return all(word.isalpha() for word in term.split(" "))


def harmless(strings: Sequence[str]) -> list[str]:
    """Leave out the strings in which the disclosure scan finds something."""
    found = {hit.line for hit in search(strings)}
    return [string for index, string in enumerate(strings) if index not in found]


def texts(count: int, terms: Sequence[str], generator: np.random.Generator) -> list[str]:
    """Make texts of 1 to 12 words; some of public words alone, some of terms alone, some of both."""

    def pick(words: Sequence[str]) -> str:
        return words[int(generator.random() * len(words))]

    made = []
    for _ in range(count):
        length = 1 + int(generator.random() * 12)
        share = 0.0
        if terms:
            share = 1.0 if generator.random() < _OF_TERMS else generator.random()
        words = [pick(terms) if generator.random() < share else pick(PUBLIC_WORDS) for _ in range(length)]
        if generator.random() < 0.3:
            words[0] = words[0].capitalize()
        made.append(" ".join(words) + ("", ".", "!", "?")[int(generator.random() * 4)])
    return made
