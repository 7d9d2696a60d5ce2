"""Names: what is allowed, and that nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model import names

CONTROLS = ["\n", "\r", "\r\n", "\t", "\x00", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"]
EVERY_CHECK = [names.plain, names.name, names.file_name, names.group, names.environment_name, names.lfn]


@pytest.mark.parametrize("check", EVERY_CHECK)
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("text", ["{}", "a{}", "/a{}b", "a{}queue 1000"])
def test_no_name_contains_a_control_character_or_a_line_separator(check, control, text):
    with pytest.raises(ValueError, match=r"control character U\+[0-9A-F]{4} at position"):
        check(text.format(control))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (names.name, "SITE_A"),
        (names.name, "T2.CH-01_x"),
        (names.name, "x" * 64),
        (names.file_name, "hist.root"),
        (names.file_name, "_a+b=c@d-e"),
        (names.group, "higgs.zz_4l"),
        (names.environment_name, "_OMP_NUM_THREADS"),
        (names.lfn, "/demo/run.2011+A/f=1@x.root"),
        (names.plain, "any text: 'even' \"quotes\" $(X) {{7*7}} ärger"),
        (names.plain, ""),
    ],
)
def test_what_is_allowed_comes_back_unchanged(check, text):
    assert check(text) == text


@pytest.mark.parametrize(
    ("check", "text"),
    [
        *(
            (names.name, text)
            for text in ("", "A,B", 'A"', "*", "-a", ".a", "a b", "x" * 65, "S\u0406TE", "a/b", "a;b", "$x")
        ),
        *((names.file_name, text) for text in ("", ".", "..", "../x", "a/b", "-rf", "/etc/shadow", "a,b", "file://x")),
        *((names.group, text) for text in ("", ".a", "a.", "a..b", "a-b", "a,b", "a b")),
        *((names.environment_name, text) for text in ("", "1A", "A=B", "A;B", "A B", "+Owner", "MY.Owner")),
        *(
            (names.lfn, text)
            for text in ("", "/", "a", "a/b", "//a", "/a//b", "/a/", "/a/../b", "/./a", "/a b", "/a%2e")
        ),
        (names.lfn, "/" + "a" * 1024),
        (names.plain, "x" * 16_385),
    ],
)
def test_what_is_not_allowed_is_refused_in_words(check, text):
    with pytest.raises(ValueError, match=r"is not allowed|is not a logical name|characters long"):
        check(text)


@given(st.text(max_size=80))
def test_a_name_that_passes_holds_nothing_that_htcondors_lists_or_a_shell_would_split(text):
    for check in (names.name, names.file_name, names.group, names.environment_name):
        try:
            passed = check(text)
        except ValueError:
            continue
        assert not set(passed) & set(" ,;:'\"\\$`|&<>(){}[]*?!#~%/\n\r\t")


@given(st.lists(st.sampled_from(["..", ".", "a", "b.c", "", "-x", "d e"]), min_size=1, max_size=5))
def test_a_logical_name_never_climbs(parts):
    try:
        lfn = names.lfn("/" + "/".join(parts))
    except ValueError:
        return
    assert not {"", ".", ".."} & set(lfn.split("/")[1:])
