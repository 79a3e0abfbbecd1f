import search_sections
import sentence_search
from search_questions import QUESTIONS


def test_the_documentation_has_the_section_of_every_question():
    sections = search_sections.read(sentence_search.ROOT, sentence_search.PAGES, sentence_search.ITSELF)
    names = [(section.file, section.title) for section in sections]
    assert len(sections) > 100
    assert not [section for right in QUESTIONS.values() for section in right if names.count(section) != 1]
    assert not {section.file for section in sections} & set(sentence_search.ITSELF)
