/* Marks that pictures in memory carry (rp_image.mark).
 *
 * An application copies and keeps pictures as it likes, and may have got their pixels from anywhere, so
 * a picture cannot own its mark: each mark is kept for the life of the process, once. There are few,
 * one for each set of processors and models. */
#include <pthread.h>

#include "media/av.h"

struct kept {
    const struct kept *next;
    char *xmp;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct kept *all;

/* Is this word one of the list, whose words have a blank between them? */
static bool has_word(const char *list, const char *word, size_t n)
{
    for (const char *at = list; (at = strstr(at, word)) != NULL; at++)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

/* The words of `more` that the list has not yet. A word that does not fit is left out. */
static void add_words(char *list, size_t size, const char *more)
{
    char word[512];

    for (size_t n; *more; more += n) {
        more += strspn(more, " ");
        n = strcspn(more, " ");
        if (!n || n >= sizeof(word))
            continue;
        memcpy(word, more, n);
        word[n] = '\0';
        const size_t used = strlen(list);
        if (!has_word(list, word, n) && used + n + 2 <= size)
            snprintf(list + used, size - used, "%s%s", used ? " " : "", word);
    }
}

/* The kept text that equals this one, which is freed or becomes the kept one. NULL: out of memory. */
static const char *keep(char *xmp)
{
    pthread_mutex_lock(&lock);
    const struct kept *k = all;
    while (k && strcmp(k->xmp, xmp) != 0)
        k = k->next;
    if (k) {
        free(xmp);
    } else {
        struct kept *const made = malloc(sizeof(*made));

        if (made) {
            *made = (struct kept){all, xmp};
            all = made;
        } else {
            free(xmp);
        }
        k = made;
    }
    pthread_mutex_unlock(&lock);
    return k ? k->xmp : NULL;
}

const char *rp_mark_keep(const struct rp_mark *mark, const char *before)
{
    struct rp_mark m, earlier;

    if (before && rp_mark_parse(&earlier, (const uint8_t *) before, strlen(before))) {
        m = earlier;
        memcpy(m.software, mark->software, sizeof(m.software));
        add_words(m.processors, sizeof(m.processors), mark->processors);
        add_words(m.models, sizeof(m.models), mark->models);
    } else {
        m = *mark;
    }
    char *const xmp = rp_mark_xmp(&m);

    return xmp ? keep(xmp) : NULL;
}
