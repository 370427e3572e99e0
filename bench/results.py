"""RESULTS.md, of which each script writes its own part: from its title to the next one."""
import os
import re
import shlex
import sys

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")


def write(title, text):
    """Replaces the part with a title, or adds it at the end."""
    parts = re.split(r"(?m)^(?=# )", open(PATH).read()) if os.path.exists(PATH) else []
    part = f"# {title}\n{text.rstrip()}\n\n"
    at = [i for i, p in enumerate(parts) if p.startswith(f"# {title}\n")]
    if at:
        parts[at[0]] = part
    else:
        parts.append(part)
    with open(PATH, "w") as f:
        f.write("".join(p.rstrip() + "\n\n" for p in parts if p.strip()).rstrip() + "\n")


def command():
    """How the script was called, without where its files lie."""
    words, rest = [os.path.basename(sys.argv[0])], iter(sys.argv[1:])
    for word in rest:
        if word in ("--work", "--binary"):
            next(rest)
        elif word != "--write":
            words.append(word)
    return "bench/" + shlex.join(words)
