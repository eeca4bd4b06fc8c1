"""Growing Markdown is given out in paragraphs, however it comes."""

from agentlin_client.lib._paragraphs import Paragraphs

MARKDOWN = """# Title

One
two

- a

  more of a
- b

```python
x = 1

y = 2
```

    indented

Last"""


def test_paragraphs_are_given_out_whole_however_the_text_is_cut() -> None:
    expected = ["# Title\n\n", "One\ntwo\n\n", "- a\n\n  more of a\n- b\n\n",
                "```python\nx = 1\n\ny = 2\n```\n\n    indented\n\n"]  # fmt: skip
    for size in range(1, len(MARKDOWN) + 1):
        text = Paragraphs()
        pieces = [MARKDOWN[at : at + size] for at in range(0, len(MARKDOWN), size)]
        settled = "".join(text.feed(piece) for piece in pieces)
        assert settled == "".join(expected)
        assert text.rest == "Last"
    text = Paragraphs()
    assert [given for char in MARKDOWN if (given := text.feed(char))] == expected


def test_a_fence_is_closed_by_its_like_only() -> None:
    text = Paragraphs()
    assert text.feed("~~~~md\n```\n\ninside\n~~~\n\nstill\n~~~~\n\n") == ""
    assert text.feed("out") == "~~~~md\n```\n\ninside\n~~~\n\nstill\n~~~~\n\n"


def test_the_tail_of_a_long_code_block_is_code_too() -> None:
    text = Paragraphs()
    text.feed("```python\n1\n2\n3\n4")
    assert text.tail(2) == "```python\n2\n3\n4"
    assert text.tail(9) == text.rest == "```python\n1\n2\n3\n4"
