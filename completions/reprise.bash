# Completion for bash. Options and choices come from the program's own --help, so that they are
# always those of the installed version.

_reprise()
{
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} program=${COMP_WORDS[0]}
    local commands='headless-run analyse models force-download doctor inspect benchmark plan help'

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
    elif [[ $command == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" "$command" --help 2>/dev/null |
            sed -n 's/^ .* \(--[a-z0-9-]*\).*/\1/p')" -- "$word")
    else
        local i choices=

        for ((i = COMP_CWORD - 1; i > 1; i--)); do
            if [[ ${COMP_WORDS[i]} == --* ]]; then
                choices=$(COLUMNS=1000 _reprise_choices "$program" "$command" "${COMP_WORDS[i]}")
                break
            fi
        done
        [[ $choices ]] && mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
    fi
}

# The names after "one of" or "any of" in the description of an option.
_reprise_choices()
{
    "$1" "$2" --help 2>/dev/null | tr '\n' ' ' | sed 's/  *--/\n--/g' |
        sed -n "s/^$3 .*; \(one\|any\) of \([^;]*\).*/\2/p" | tr -s ', ' ' '
}

complete -o default -F _reprise reprise
