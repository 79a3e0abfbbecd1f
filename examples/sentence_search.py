"""MiniLM finds the section of this repository's documentation that answers a question.

    python examples/sentence_search.py                              # default questions: how many sections are right?
    python examples/sentence_search.py "How do I mask padding?"     # questions of your own

Downloads all-MiniLM-L6-v2 (84 MB), embeds README.md and the pages of docs, and prints the sections most similar to
each question, with the most similar sentence. Outputs in `runs/sentence_search/` (see `--output`): words-1.png ..., the
words of the best section, shaded by attention and by contribution to the score. Results:
docs/examples/sentence_search.md.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import numpy as np
import search_sections
from arguments import Parser
from runs import OtherRunError, describe, ended, heading, save_figure
from search_questions import QUESTIONS

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "runs" / "sentence_search"
ROOM = 20e6  # bytes of the results, at most, with the default settings
PAGES = ("README.md", "docs/*.md", "docs/examples/*.md")
ITSELF = ("docs/examples/sentence_search.md",)  # quotes questions
LIMIT = 128  # tokens of a passage, as the model was trained


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("questions", nargs="*", help="(default: those of examples/search_questions.py)")
    parser.number("--best", 3, "sections printed")
    parser.cache()
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the results")
    return parser.parse_args(arguments)


def run(options):
    """Loads the model, embeds questions and passages, prints and plots what is found."""
    with dates_served.quiet():
        import sentence_vectors

    heading("Search in the documentation with MiniLM")
    _, tokenizers = sentence_vectors.libraries()
    describe(tokenizers=tokenizers.__version__)
    encoder = sentence_vectors.load(options.cache)
    asked = options.questions or list(QUESTIONS)
    try:
        questions = encoder(asked)
    except ValueError as error:
        raise OtherRunError(f"A question cannot be read: {error}") from error
    sections = search_sections.read(ROOT, PAGES, ITSELF)
    passages = [p for section in sections for p in search_sections.passages(section, encoder.count, LIMIT)]
    heading(f"Embedding {len(sections)} sections in {len(passages)} passages of at most {LIMIT} tokens")
    vectors = encoder([passage.text for passage in passages], progress=True)
    ranked = [rank(passages, vectors @ question) for question in questions]
    if not options.questions:
        evaluate(ranked)
    for number, question in enumerate(options.questions or asked[:1]):
        heading(question)
        show(options, encoder, questions[number], ranked[number])
        path = options.output / f"words-{number + 1}.png"
        save_figure(path, draw(encoder, question, questions[number], ranked[number][0][1]))
        print(f"    {path}")


def rank(passages, scores):
    """[(score, passage)], the best passage of every section, the best section first."""
    best = {}
    for passage, score in zip(passages, scores):
        if score > best.get(passage.section, (-np.inf,))[0]:
            best[passage.section] = score, passage
    return sorted(best.values(), key=lambda found: -found[0])


def evaluate(ranked):
    """Prints the rank of the first right section of every default question, and how many are first."""
    heading("Rank of the right section, question, and the section found instead")
    ranks, pages = [], 0
    for (question, right), found in zip(QUESTIONS.items(), ranked):
        order = [(passage.section.file, passage.section.title) for _, passage in found]
        ranks.append(min(map(order.index, right)) + 1)
        pages += order[0][0] in dict(right)
        print(f"    {ranks[-1]:3}  {question}" + f"  [{found[0][1].section}]" * (ranks[-1] > 1))
    first, three = sum(r == 1 for r in ranks), sum(r <= 3 for r in ranks)
    print(f"The right section is first for {first} of {len(ranks)} questions, among the first three for {three};")
    print(f"the first section is of the right page for {pages}. There are {len(ranked[0])} sections.")


def show(options, encoder, question, ranked):
    """Prints the best sections, and the sentence of the first that is most similar to the question."""
    for score, passage in ranked[: options.best]:
        print(f"    {score:.2f}  {passage.section}")
    if sentences := ranked[0][1].sentences:
        print(f"    “{sentences[int(np.argmax(encoder(sentences) @ question))]}”")


def draw(encoder, question, vector, passage):
    """The words of a passage, shaded by the attention that they get and by their contribution to the score."""
    from search_pictures import Panel, plot_words

    words, matrix = encoder.words(passage.text)
    attended = matrix @ encoder.attended(passage.text)
    contributions = matrix @ encoder.contributions(passage.text, vector)
    score = encoder([passage.text])[0] @ vector
    aside = f"(not drawn: {1 - attended.sum():.0%} to [CLS] and [SEP])"
    panels = [
        Panel(f"Attention in the last block, mean over heads and words {aside}", attended, "Blues"),
        Panel(f"Contribution to the score of {score:.2f} (below zero: white)", contributions, "Oranges"),
    ]
    return plot_words(words, panels, question, str(passage.section))


if __name__ == "__main__":
    sys.exit(main())
