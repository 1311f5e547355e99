/* completion: what bash, zsh and fish need to complete the words of a command line, made from the
 * tables of commands and options, and the options of the man page.
 *
 * The three scripts work alike. The word belongs to the last option before it, unless that is a
 * flag or has its one value already; then it is one of the command's own words. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"

enum shell { BASH, ZSH, FISH };

static const char *const shells[] = {[BASH] = "bash", [ZSH] = "zsh", [FISH] = "fish", NULL};
static const char *const statuses[] = {"drafted", "queued", "completed", "failed", NULL};

struct scripter {
    enum shell shell;
    const struct app_command *commands;
    struct app *apps; /* one per command, for its options */
    int n;
    char **models; /* kinds and names, NULL-terminated */
    size_t n_models;
    bool failed; /* out of memory */
};

/* ---- the tables ---- */

static bool is_path(const char *meta)
{
    return meta && (strstr(meta, "FILE") || strstr(meta, "REFERENCE"));
}

/* What a value may be: "words", "file", "dir", "none"; or there is none: "flag". */
static const char *kind_of(const rp_option_info *o)
{
    return o->is_flag                               ? "flag"
           : o->choices                             ? "words"
           : is_path(o->meta)                       ? "file"
           : o->meta && !strncmp(o->meta, "DIR", 3) ? "dir"
                                                    : "none";
}

/* Has an option of this name another kind in another command? */
static bool varies(const struct scripter *s, const rp_option_info *o)
{
    for (int c = 0; c < s->n; c++) {
        const struct app *const app = &s->apps[c];

        for (int i = 0; i < app->n_table; i++)
            if (!strcmp(app->table[i].name, o->name) &&
                strcmp(kind_of(&app->table[i]), kind_of(o)) != 0)
                return true;
    }
    return false;
}

static bool listed_before(const struct scripter *s, int command, const rp_option_info *o)
{
    for (int c = 0; c < command; c++) {
        for (int i = 0; i < s->apps[c].n_table; i++)
            if (!strcmp(s->apps[c].table[i].name, o->name))
                return true;
    }
    return false;
}

static bool has_word(const struct scripter *s, const char *word)
{
    for (size_t i = 0; i < s->n_models; i++)
        if (!strcmp(s->models[i], word))
            return true;
    return false;
}

static void add_word(struct scripter *s, const char *word)
{
    char **grown, *copy;

    if (has_word(s, word))
        return;
    if (!(copy = strdup(word)) ||
        !(grown = realloc(s->models, (s->n_models + 2) * sizeof(*grown)))) {
        free(copy);
        s->failed = true;
        return;
    }
    s->models = grown;
    s->models[s->n_models++] = copy;
    s->models[s->n_models] = NULL;
}

/* A user's own models are not those of every user of this script. */
static void add_model(void *priv, const rp_model_info *m)
{
    if (!m->fetch)
        return;
    add_word(priv, m->kind);
    add_word(priv, m->name);
}

/* ---- writing ---- */

/* Text within single quotes. @param colon  also put a \ before a colon, which ends a word of zsh */
static void put_quoted(const struct scripter *s, const char *text, bool colon)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'')
            fputs(s->shell == FISH ? "\\'" : "'\\''", stdout);
        else if (*text == '\\' && s->shell == FISH)
            fputs("\\\\", stdout);
        else if (*text == ':' && colon)
            fputs("\\:", stdout);
        else
            putchar(*text);
    }
    putchar('\'');
}

static void put_words(const char *const *words)
{
    for (int i = 0; words && words[i]; i++)
        printf("%s%s", i ? " " : "", words[i]);
}

/* "--name" with its help, as one word of a list. */
static void put_described(const struct scripter *s, const char *dashes, const char *name,
                          const char *help)
{
    char line[512];

    if (s->shell == BASH) {
        printf(" %s%s", dashes, name);
        return;
    }
    if (s->shell == FISH) {
        snprintf(line, sizeof(line), "%s%s\t%s", dashes, name, help);
        fputs(" \\\n            ", stdout);
        put_quoted(s, line, false);
        return;
    }
    printf("\n            '%s%s:'", dashes, name);
    put_quoted(s, help, true);
}

static void put_case(const struct scripter *s, const char *pattern)
{
    if (s->shell == FISH)
        printf("        case '%s'\n", pattern);
    else
        printf("        %s)\n", pattern);
}

static void end_case(const struct scripter *s)
{
    if (s->shell != FISH)
        fputs("            ;;\n", stdout);
}

/* Set a variable of the script to words. */
static void put_set(const struct scripter *s, const char *name, const char *const *words)
{
    printf(s->shell == FISH ? "            set %s " : "            %s='", name);
    put_words(words);
    puts(s->shell == FISH ? "" : "'");
}

static void put_set_one(const struct scripter *s, const char *name, const char *word)
{
    put_set(s, name, (const char *const[]){word, NULL});
}

static void begin_function(const struct scripter *s, const char *name, const char *subject)
{
    if (s->shell == FISH)
        printf("\nfunction %s --no-scope-shadowing\n    switch \"%s\"\n", name, subject);
    else
        printf("\n%s()\n{\n    case %s in\n", name, subject);
}

static void end_function(const struct scripter *s)
{
    puts(s->shell == FISH ? "    end\nend" : "    esac\n}");
}

/* _reprise_options COMMAND: all of its options. */
static void put_options(const struct scripter *s)
{
    begin_function(s, s->shell == FISH ? "__reprise_options" : "_reprise_options",
                   s->shell == FISH ? "$argv[1]" : "$1");
    for (int c = 0; c < s->n; c++) {
        const struct app *const app = &s->apps[c];

        put_case(s, s->commands[c].name);
        fputs(s->shell == FISH  ? "            set values"
              : s->shell == ZSH ? "            options=("
                                : "            values='",
              stdout);
        for (int i = 0; i < app->n_table; i++)
            put_described(s, "--", app->table[i].name, app->table[i].help);
        puts(s->shell == FISH ? "" : s->shell == ZSH ? ")" : "'");
        end_case(s);
    }
    end_function(s);
}

static void put_value(const struct scripter *s, const char *command, const rp_option_info *o)
{
    char pattern[160], letter[64] = "";

    if (!strcmp(kind_of(o), "none") && !o->is_list)
        return; /* as if it were unknown */
    if (o->letter && s->shell == FISH)
        snprintf(letter, sizeof(letter), "' '%s:-%c", command, o->letter);
    else if (o->letter)
        snprintf(letter, sizeof(letter), " | %s:-%c", command, o->letter);
    snprintf(pattern, sizeof(pattern), "%s:--%s%s", command, o->name, letter);
    put_case(s, pattern);
    put_set_one(s, "kind", kind_of(o));
    if (o->is_list)
        put_set_one(s, "list", "yes");
    if (o->choices)
        put_set(s, "values", o->choices);
    end_case(s);
}

/* _reprise_value COMMAND OPTION: the kind of its value, whether there are many, and which. Options
 * that differ between commands come first, with the command's name. */
static void put_values(const struct scripter *s)
{
    begin_function(s, s->shell == FISH ? "__reprise_value" : "_reprise_value",
                   s->shell == FISH ? "$argv[1]:$argv[2]" : "$1:$2");
    for (int any = 0; any < 2; any++) {
        for (int c = 0; c < s->n; c++) {
            const struct app *const app = &s->apps[c];

            for (int i = 0; i < app->n_table; i++) {
                const rp_option_info *const o = &app->table[i];

                if (varies(s, o) == !any && (!any || !listed_before(s, c, o)))
                    put_value(s, any ? "*" : s->commands[c].name, o);
            }
        }
    }
    end_function(s);
}

/* _reprise_own COMMAND: what its own words may be. */
static void put_own(const struct scripter *s)
{
    begin_function(s, s->shell == FISH ? "__reprise_own" : "_reprise_own",
                   s->shell == FISH ? "$argv[1]" : "$1");
    for (int c = 0; c < s->n; c++) {
        const enum app_words_kind kind = s->commands[c].words;

        if (kind == APP_WORDS_NONE)
            continue;
        put_case(s, s->commands[c].name);
        put_set_one(s, "kind", kind == APP_WORDS_FILES ? "file" : "words");
        if (kind != APP_WORDS_FILES)
            put_set(s, "values",
                    kind == APP_WORDS_SHELLS     ? shells
                    : kind == APP_WORDS_STATUSES ? statuses
                                                 : (const char *const *) s->models);
        end_case(s);
    }
    put_case(s, "help");
    put_set_one(s, "kind", "words");
    fputs(s->shell == FISH ? "            set values" : "            values='", stdout);
    for (int c = 0; c < s->n; c++)
        printf("%s%s", c || s->shell == FISH ? " " : "", s->commands[c].name);
    puts(s->shell == FISH ? "" : "'");
    end_case(s);
    end_function(s);
}

static void put_commands(const struct scripter *s)
{
    for (int c = 0; c < s->n; c++)
        put_described(s, "", s->commands[c].name, s->commands[c].help);
    put_described(s, "", "help", "show the options of a command");
    put_described(s, "--", "help", "show the commands");
    put_described(s, "--", "version", "show version and licence");
}

/* ---- the parts that are the same for all options ---- */

static const char bash_begin[] =
    "\n_reprise()\n"
    "{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}\n"
    "    local kind=words list='' values='' i n\n"
    "\n"
    "    COMPREPLY=()\n"
    "    if [[ $word == '=' ]]; then\n"
    "        word=''\n"
    "    fi\n"
    "    if ((COMP_CWORD == 1)); then\n"
    "        values='";
static const char bash_end[] =
    "'\n"
    "    elif [[ $word == -* ]]; then\n"
    "        _reprise_options \"$command\"\n"
    "    else\n"
    "        kind=own\n"
    "        for ((i = COMP_CWORD - 1; i > 1; i--)); do\n"
    "            if [[ ${COMP_WORDS[i]} == -- ]]; then\n"
    "                break\n"
    "            elif [[ ${COMP_WORDS[i]} == -[a-z-]* ]]; then\n"
    "                kind=none\n"
    "                _reprise_value \"$command\" \"${COMP_WORDS[i]}\"\n"
    "                n=$((COMP_CWORD - i))\n"
    "                if [[ ${COMP_WORDS[i + 1]} == '=' ]] && ((n > 1)); then\n"
    "                    n=$((n - 1))\n"
    "                fi\n"
    "                if [[ $kind == flag || (-z $list && $n -gt 1) ]]; then\n"
    "                    kind=own\n"
    "                fi\n"
    "                break\n"
    "            fi\n"
    "        done\n"
    "        if [[ $kind == own ]]; then\n"
    "            kind=none values=''\n"
    "            _reprise_own \"$command\"\n"
    "        fi\n"
    "    fi\n"
    "    case $kind in\n"
    "        words) mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$word\") ;;\n"
    "        file)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "            ;;\n"
    "        dir)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t COMPREPLY < <(compgen -d -- \"$word\")\n"
    "            ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "complete -F _reprise reprise\n";

static const char zsh_begin[] =
    "\n_reprise()\n"
    "{\n"
    "    local word=$words[CURRENT] command=$words[2] kind=words list='' values='' i\n"
    "    local -a options\n"
    "\n"
    "    if ((CURRENT == 2)); then\n"
    "        options=(";
static const char zsh_end[] =
    ")\n"
    "        _describe command options\n"
    "        return\n"
    "    elif [[ $word == --*=* ]]; then\n"
    "        kind=none\n"
    "        _reprise_value $command ${word%%=*}\n"
    "        compset -P '*='\n"
    "    elif [[ $word == -* ]]; then\n"
    "        _reprise_options $command\n"
    "        _describe -o option options\n"
    "        return\n"
    "    else\n"
    "        kind=own\n"
    "        for ((i = CURRENT - 1; i > 2; i--)); do\n"
    "            if [[ $words[i] == -- ]]; then\n"
    "                break\n"
    "            elif [[ $words[i] == -[a-z-]* ]]; then\n"
    "                kind=none\n"
    "                _reprise_value $command $words[i]\n"
    "                if [[ $kind == flag || ( -z $list && $((CURRENT - i)) -gt 1 ) ]]; then\n"
    "                    kind=own\n"
    "                fi\n"
    "                break\n"
    "            fi\n"
    "        done\n"
    "        if [[ $kind == own ]]; then\n"
    "            kind=none values=''\n"
    "            _reprise_own $command\n"
    "        fi\n"
    "    fi\n"
    "    case $kind in\n"
    "        words) compadd -- ${=values} ;;\n"
    "        file) _files ;;\n"
    "        dir) _files -/ ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "if [[ $funcstack[1] == _reprise ]]; then\n" /* loaded by compinit from a file of this name */
    "    _reprise\n"
    "else\n"
    "    compdef _reprise reprise\n"
    "fi\n";

static const char fish_begin[] = "\nfunction __reprise\n"
                                 "    set -l before (commandline -opc)\n"
                                 "    set -l word (commandline -ct)\n"
                                 "    set -l command $before[2]\n"
                                 "    set -l kind words\n"
                                 "    set -l list\n"
                                 "    set -l values\n"
                                 "    if test (count $before) -lt 2\n"
                                 "        set values";
static const char fish_end[] =
    "\n"
    "    else if string match -q -- '--*=*' $word\n"
    "        set -l parts (string split -m 1 = -- $word)\n"
    "        set kind none\n"
    "        __reprise_value $command $parts[1]\n"
    "        set values $parts[1]=$values\n"
    "    else if string match -q -- '-*' $word\n"
    "        __reprise_options $command\n"
    "    else\n"
    "        set kind own\n"
    "        for i in (seq (count $before) -1 3)\n"
    "            if test \"$before[$i]\" = --\n"
    "                break\n"
    "            else if string match -qr -- '^-[a-z-]' $before[$i]\n"
    "                set kind none\n"
    "                __reprise_value $command $before[$i]\n"
    "                if test $kind = flag; or begin\n"
    "                        test -z \"$list\"; and test (count $before) -gt $i\n"
    "                    end\n"
    "                    set kind own\n"
    "                end\n"
    "                break\n"
    "            end\n"
    "        end\n"
    "        if test $kind = own\n"
    "            set kind none\n"
    "            set values\n"
    "            __reprise_own $command\n"
    "        end\n"
    "    end\n"
    "    switch $kind\n"
    "        case words\n"
    "            printf '%s\\n' $values\n"
    "        case file\n"
    "            __fish_complete_path $word\n"
    "        case dir\n"
    "            __fish_complete_directories $word\n"
    "    end\n"
    "end\n"
    "\n"
    "complete -c reprise -f -a '(__reprise)'\n";

/* ---- the command ---- */

static void put_script(const struct scripter *s)
{
    static const char *const begin[] = {bash_begin, zsh_begin, fish_begin};
    static const char *const end[] = {bash_end, zsh_end, fish_end};

    if (s->shell == ZSH)
        puts("#compdef reprise");
    printf("# The words of reprise %s for %s, made by: reprise completion %s\n", rp_version(),
           shells[s->shell], shells[s->shell]);
    if (s->shell == BASH)
        puts("# shellcheck shell=bash disable=SC2034 # variables of the function that calls");
    put_options(s);
    put_values(s);
    put_own(s);
    fputs(begin[s->shell], stdout);
    put_commands(s);
    fputs(end[s->shell], stdout);
}

static int open_scripter(struct scripter *s, const struct app_command *commands, int n)
{
    int ret;
    rp_runtime *runtime = NULL;

    s->commands = commands;
    s->n = n;
    if (!(s->apps = calloc((size_t) s->n, sizeof(*s->apps))))
        return RP_ERR_NOMEM;
    for (int c = 0; c < s->n; c++)
        if ((ret = app_open(&s->apps[c], &s->commands[c])) < 0)
            return ret;
    if ((ret = rp_runtime_create(&runtime, NULL)) >= 0)
        ret = rp_models_each(runtime, add_model, s);
    rp_runtime_destroy(&runtime);
    return s->failed ? RP_ERR_NOMEM : ret;
}

static void close_scripter(struct scripter *s)
{
    for (int c = 0; s->apps && c < s->n; c++)
        app_close(&s->apps[c]);
    for (size_t i = 0; i < s->n_models; i++)
        free(s->models[i]);
    free(s->models);
    free(s->apps);
}

int app_completion(struct app *app)
{
    int ret;
    struct scripter s = {0};
    const char *const name = app->n_args ? app->args[0] : "";

    while (shells[s.shell] && strcmp(shells[s.shell], name) != 0)
        s.shell++;
    if (!shells[s.shell]) {
        app_log(RP_LOG_ERROR, "completion: '%s' is not one of bash, zsh, fish", name);
        return RP_ERR_USAGE;
    }
    if ((ret = open_scripter(&s, app->commands, app->n_commands)) >= 0)
        put_script(&s);
    close_scripter(&s);
    return ret;
}

/* ---- the man page ---- */

/* Text of a man page: a hyphen that is meant as one, and nothing that begins a request. */
static void put_roff(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void put_man_option(const rp_option_info *o)
{
    const char *const meta = app_help_meta(o);
    char *const text = app_help_text(o, 24);

    fputs(".TP\n", stdout);
    if (o->letter)
        printf("\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", stdout);
    put_roff(o->name);
    fputs("\\fR", stdout);
    if (meta) {
        fputs(" \\fI", stdout);
        put_roff(meta);
        printf("\\fR%s", o->is_list && !strstr(meta, "...") ? "..." : "");
    }
    putchar('\n');
    put_roff(text ? text : "");
    puts(".");
    free(text);
}

static bool seen_in_man(const struct scripter *s, int command, const rp_option_info *o)
{
    for (int c = 0; c < command; c++) {
        for (int i = 0; i < s->apps[c].n_table; i++)
            if (!strcmp(s->apps[c].table[i].name, o->name) &&
                !strcmp(s->apps[c].table[i].group, o->group))
                return true;
    }
    return false;
}

/* Options of one heading that only some commands have are named with the command. */
static void put_man_own(const struct scripter *s)
{
    puts(".SS General");
    for (int c = 0; c < s->n; c++) {
        for (int i = 0; i < s->apps[c].n_table; i++) {
            const rp_option_info *const o = &s->apps[c].table[i];

            if (!strcmp(o->title, "General") && !seen_in_man(s, c, o))
                put_man_option(o);
        }
    }
}

static const char of_jobs[] = "Jobs and batches";

/* Options that have an effect with them alone; batch-run has all of these. */
static bool is_of_jobs(const struct scripter *s, const rp_option_info *o)
{
    for (int c = 0; c < s->n; c++)
        for (int i = 0; i < s->apps[c].n_table; i++)
            if (!strcmp(s->apps[c].table[i].title, of_jobs) &&
                !strcmp(s->apps[c].table[i].name, o->name))
                return true;
    return false;
}

/* Those of one heading that a command has and a job has not. */
static void put_man_heading(const struct scripter *s, const char *command, const char *title)
{
    printf(".SS %s\n", title);
    for (int c = 0; c < s->n; c++)
        for (int i = 0; i < s->apps[c].n_table; i++)
            if (!strcmp(s->commands[c].name, command) && !strcmp(s->apps[c].table[i].title, title))
                put_man_option(&s->apps[c].table[i]);
}

int app_man_options(const struct app_command *commands, int n)
{
    int ret;
    const char *title = "";
    struct scripter s = {0};

    if ((ret = open_scripter(&s, commands, n)) < 0)
        goto done;
    /* The benchmark takes all that a job takes, and its own. */
    for (int c = 0; c < s.n; c++) {
        if (!s.commands[c].takes_files)
            continue;
        for (int i = 0; i < s.apps[c].n_table; i++) {
            const rp_option_info *const o = &s.apps[c].table[i];

            if (!strcmp(o->title, "General") || is_of_jobs(&s, o))
                continue;
            if (strcmp(title, o->title) != 0)
                printf(".SS %s\n", o->title);
            title = o->title;
            put_man_option(o);
        }
    }
    put_man_heading(&s, "batch-run", of_jobs);
    put_man_heading(&s, "serve", "Server");
    put_man_own(&s);

done:
    close_scripter(&s);
    return ret;
}
