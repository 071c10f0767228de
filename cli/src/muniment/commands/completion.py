"""Shell completion: a script for the shell, made from the same declarations that the commands are."""

from __future__ import annotations

from muniment.command import Argument, Command
from muniment.commands.index import COMMANDS as INDEX
from muniment.commands.shared import EVERYWHERE
from muniment.exits import BadUsage, ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from muniment.context import Context


def completion(context: Context) -> ExitCode:
    """Prints the script."""
    shell = context.argument("SHELL") or ""
    scripts = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}
    if shell not in scripts:
        raise BadUsage(f"There is no completion for {shell!r}. Choose {', '.join(scripts)}.")
    print(scripts[shell](), end="")
    return ExitCode.DONE


def _words_after() -> dict[str, list[str]]:
    """What may follow after the words of a verb that were typed so far."""
    following: dict[str, set[str]] = {}
    for verb in INDEX:
        words = verb.split()
        for length in range(len(words)):
            following.setdefault(" ".join(words[:length]), set()).add(words[length])
    return {before: sorted(after) for before, after in following.items()}


def _options_of(verb: str) -> list[str]:
    from muniment.parsing import load

    command = load(verb)
    return sorted(
        {name for option in (*command.options, *EVERYWHERE) for name in option.names if name.startswith("--")}
    )


def _bash() -> str:
    cases = "".join(
        f'        "{before}") words="{" ".join(after)}" ;;\n' for before, after in sorted(_words_after().items())
    )
    options = "".join(f'        "{verb}") words="{" ".join(_options_of(verb))} --help" ;;\n' for verb in INDEX)
    return f"""\
_muniment() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" typed="" word words=""
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in -*) break ;; esac
        typed="${{typed:+$typed }}$word"
    done
    while :; do
        case "$typed" in
{_indented(options)}        esac
        [ -n "$words" ] && break
        case "$typed" in
{_indented(cases)}        esac
        [ -n "$words" ] && break
        [ "$typed" = "${{typed% *}}" ] && break
        typed="${{typed% *}}"
    done
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    [ "${{#COMPREPLY[@]}}" -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}}
complete -o filenames -F _muniment muniment
"""


def _indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


def _zsh() -> str:
    return "#compdef muniment\nautoload -U +X bashcompinit && bashcompinit\n" + _bash()


def _fish() -> str:
    lines = [
        "function __muniment_typed",
        "    string match -v -- '-*' (commandline -opc)[2..]",
        "end",
        "complete -c muniment -f",
    ]
    for before, after in sorted(_words_after().items()):
        for word in after:
            condition = f'test (string join " " (__muniment_typed)) = "{before}"'
            summary = INDEX.get(f"{before} {word}".strip(), ("", ""))[1].replace("'", "\\'")
            lines.append(f"complete -c muniment -n '{condition}' -a {word} -d '{summary}'")
    for verb in INDEX:
        condition = f'string match -q -- "{verb}*" (string join " " (__muniment_typed))'
        lines += [f"complete -c muniment -n '{condition}' -l {name[2:]}" for name in _options_of(verb)]
    return "\n".join(lines) + "\n"


def _powershell() -> str:
    table = "".join(f"    '{before}' = '{' '.join(after)}'\n" for before, after in sorted(_words_after().items()))
    options = "".join(f"    '{verb}' = '{' '.join(_options_of(verb))}'\n" for verb in INDEX)
    return f"""\
$munimentWords = @{{
{table}}}
$munimentOptions = @{{
{options}}}
Register-ArgumentCompleter -Native -CommandName muniment -ScriptBlock {{
    param($word, $tree, $cursor)
    $typed = @($tree.CommandElements | Select-Object -Skip 1 | ForEach-Object {{ "$_" }} | Where-Object {{ $_ -notlike '-*' }})
    if ($word) {{ $typed = @($typed | Select-Object -SkipLast 1) }}
    $found = $munimentOptions[($typed -join ' ')]
    if (-not $found) {{ $found = $munimentWords[($typed -join ' ')] }}
    "$found".Split(' ') | Where-Object {{ $_ -like "$word*" }} | ForEach-Object {{
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }}
}}
"""


COMMANDS = (
    Command(
        "completion",
        completion,
        arguments=(Argument("SHELL", help="bash, zsh, fish or powershell"),),
        examples=("muniment completion bash > /etc/bash_completion.d/muniment",),
    ),
)
